/// Sorts one bucket of packed rows after another, most significant digit first, and unpacks them.
struct BucketSort: ~Copyable {
    private static let insertionLimit = 24
    private static let widestDigit = 12

    private let packing: Packing
    private let columns: RankedColumns
    /// Room for a copy of the largest bucket met so far.
    private var copy: UnsafeMutablePointer<RankedRow>?
    private var capacity = 0

    init(_ packing: Packing, _ columns: RankedColumns) {
        self.packing = packing
        self.columns = columns
    }

    deinit { copy?.deallocate() }

    /// - Parameter restBits: in how many bits keys of the bucket may differ.
    mutating func sort(_ rows: UnsafeMutablePointer<RankedRow>, _ count: Int, restBits: Int) {
        if count > capacity {
            copy?.deallocate()
            capacity = max(count, 2 * capacity)
            copy = .allocate(capacity: capacity)
        }
        Self.sort(rows, count, copy!, packing)  // allocated above, when not before
        var ties = 0
        for index in 0..<count {
            let isLast = index + 1 == count || !packing.looksEqual(rows[index], rows[index + 1])
            ties &+= isLast ? 0 : 1
            rows[index] = packing.ranked(rows[index], isLastOfTie: isLast)
        }
        if ties > 0 && !packing.isExact(restBits: restBits) { settleCutKeys(rows, count) }
    }

    /// Looks up the whole keys of rows that look equal; almost always they are.
    private func settleCutKeys(_ rows: UnsafeMutablePointer<RankedRow>, _ count: Int) {
        var start = 0
        while start < count {
            var end = start
            while !rows[end].isLastOfTie { end += 1 }
            let run = start...end
            if run.dropFirst().contains(where: { key(rows[$0 - 1]) > key(rows[$0]) }) {
                let sorted = run.map { (key: key(rows[$0]), row: rows[$0]) }
                    .sorted { ($0.key, $1.row.row) < ($1.key, $0.row.row) }
                for index in run { rows[index] = sorted[index - start].row }
            }
            for index in run { rows[index].isLastOfTie = index == end || key(rows[index]) != key(rows[index + 1]) }
            start = end + 1
        }
    }

    private func key(_ ranked: RankedRow) -> UInt64 { columns.key(ranked.row) }

    private static func sort(
        _ rows: UnsafeMutablePointer<RankedRow>, _ count: Int, _ copy: UnsafeMutablePointer<RankedRow>,
        _ packing: Packing
    ) {
        if count <= insertionLimit {
            insertionSort(rows, into: rows, count)
            return
        }
        var low = UInt64.max
        var high = UInt64.min
        for index in 0..<count {
            low = min(low, rows[index].bits)
            high = max(high, rows[index].bits)
        }
        // Equal keys stand in input order already: every pass is stable.
        guard (low ^ high) >> packing.payloadBits != 0 else { return }
        let width = UInt64.bitWidth - (high - low).leadingZeroBitCount
        let shift = UInt64(max(0, width - min(count.bitWidth - count.leadingZeroBitCount, widestDigit)))
        let digits = Int(truncatingIfNeeded: (high - low) >> shift) + 1
        // Temporary: on the stack up to its limit, so a recursion level owns its ends.
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: digits) { ends in
            ends.initialize(repeating: 0)
            let ends = ends.baseAddress!  // capacity is at least 2
            for index in 0..<count { ends[Int(truncatingIfNeeded: (rows[index].bits &- low) &>> shift)] &+= 1 }
            var next: UInt32 = 0
            var largest: UInt32 = 0
            for digit in 0..<digits {
                let size = ends[digit]
                largest = max(largest, size)
                ends[digit] = next
                next &+= size
            }
            for index in 0..<count {
                let digit = Int(truncatingIfNeeded: (rows[index].bits &- low) &>> shift)
                copy[Int(ends[digit])] = rows[index]
                ends[digit] &+= 1
            }
            if largest <= insertionLimit {
                insertionSort(copy, into: rows, count)
                return
            }
            rows.update(from: copy, count: count)
            var start = 0
            for digit in 0..<digits {
                let end = Int(ends[digit])
                if end - start > 1 { sort(rows + start, end - start, copy, packing) }
                start = end
            }
        }
    }

    @inline(__always)
    private static func insertionSort(
        _ source: UnsafeMutablePointer<RankedRow>, into rows: UnsafeMutablePointer<RankedRow>, _ count: Int
    ) {
        for index in 0..<count {
            let item = source[index]
            var place = index
            while place > 0 && rows[place - 1].bits > item.bits {
                rows[place] = rows[place - 1]
                place &-= 1
            }
            rows[place] = item
        }
    }
}
