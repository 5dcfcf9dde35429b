/// A stable radix sort of ranked rows, most significant digit first.
///
/// One pass spreads the rows over up to 4,096 buckets by the leading bits in which the keys differ at all; each bucket
/// then fits the cache and is sorted there the same way, down to runs that insertion sort finishes. The digits are taken
/// from `key - smallest key`, so scores that share sign, exponent and half their mantissa cost no empty pass.
/// The order is unique (stable), hence the same for any number of threads.
enum RadixSort {
    private static let insertionLimit = 24
    private static let widestDigit = 12

    static func allocate(_ count: Int) -> UnsafeMutablePointer<RankedRow> {
        let rows = UnsafeMutablePointer<RankedRow>.allocate(capacity: max(count, 1))
        adviseHugePages(rows, bytes: count * MemoryLayout<RankedRow>.stride)
        return rows
    }

    /// Fills `rows` with `make(count - 1) … make(0)`, sorted by ascending `key`, ties in that order.
    @inline(__always)
    static func sort(
        _ count: Int, into rows: UnsafeMutablePointer<RankedRow>, threads: Int,
        key: (Int) -> UInt64, make: (Int) -> RankedRow
    ) {
        // Slices of the input; the last comes first, because ties stand in reverse input order.
        let slices = threads > 1 && count > 1 << 15 ? threads : 1
        func input(_ slice: Int) -> Range<Int> { Parallel.slice(slices - 1 - slice, of: slices, count: count) }

        let bounds = UnsafeMutablePointer<(low: UInt64, high: UInt64)>.allocate(capacity: slices)
        defer { bounds.deallocate() }
        Parallel.forEach(slices, threads: threads) { slice in
            var low = UInt64.max
            var high = UInt64.min
            for row in input(slice) {
                let key = key(row)
                low = min(low, key)
                high = max(high, key)
            }
            bounds[slice] = (low, high)
        }
        var low = UInt64.max
        var high = UInt64.min
        for slice in 0..<slices {
            low = min(low, bounds[slice].low)
            high = max(high, bounds[slice].high)
        }

        let digit = Digit(low: low, high: high, bits: count.bitWidth - count.leadingZeroBitCount - 11)
        let buckets = digit.buckets
        // starts[slice * buckets + bucket]: first counts, then where the slice writes its next row of that bucket.
        let starts = UnsafeMutablePointer<Int>.allocate(capacity: slices * buckets)
        let ends = UnsafeMutablePointer<Int>.allocate(capacity: buckets)
        starts.initialize(repeating: 0, count: slices * buckets)
        defer {
            starts.deallocate()
            ends.deallocate()
        }
        Parallel.forEach(slices, threads: threads) { slice in
            let counts = starts + slice * buckets
            for row in input(slice) { counts[digit.bucket(key(row))] &+= 1 }
        }
        var next = 0
        for bucket in 0..<buckets {
            for slice in 0..<slices {
                let size = starts[slice * buckets + bucket]
                starts[slice * buckets + bucket] = next
                next &+= size
            }
            ends[bucket] = next
        }
        Parallel.forEach(slices, threads: threads) { slice in
            let places = starts + slice * buckets
            for row in input(slice).reversed() {
                let item = make(row)
                let bucket = digit.bucket(item.key)
                rows[places[bucket]] = item
                places[bucket] &+= 1
            }
        }
        guard digit.shift > 0 else { return }
        let groups = min(buckets, 256)
        Parallel.forEach(groups, threads: threads) { group in
            var scratch = Scratch()
            for bucket in Parallel.slice(group, of: groups, count: buckets) {
                let start = bucket == 0 ? 0 : ends[bucket - 1]
                sortInPlace(rows + start, ends[bucket] - start, &scratch)
            }
        }
    }

    /// Sorts rows that (mostly) fit the cache.
    private static func sortInPlace(_ rows: UnsafeMutablePointer<RankedRow>, _ count: Int, _ scratch: inout Scratch) {
        if count <= insertionLimit {
            insertionSort(rows, count)
            return
        }
        var low = UInt64.max
        var high = UInt64.min
        for index in 0..<count {
            low = min(low, rows[index].key)
            high = max(high, rows[index].key)
        }
        guard low < high else { return }
        let digit = Digit(low: low, high: high, bits: count.bitWidth - count.leadingZeroBitCount - 1)
        let buckets = digit.buckets
        // Temporary: on the stack up to its limit, so a recursion level owns its ends.
        withUnsafeTemporaryAllocation(of: Int.self, capacity: buckets) { ends in
            ends.initialize(repeating: 0)
            let ends = ends.baseAddress!  // capacity is at least 2
            for index in 0..<count { ends[digit.bucket(rows[index].key)] &+= 1 }
            var next = 0
            for bucket in 0..<buckets {
                let size = ends[bucket]
                ends[bucket] = next
                next &+= size
            }
            let copy = scratch.rows(count)
            for index in 0..<count {
                let bucket = digit.bucket(rows[index].key)
                copy[ends[bucket]] = rows[index]
                ends[bucket] &+= 1
            }
            rows.update(from: copy, count: count)
            guard digit.shift > 0 else { return }
            var start = 0
            for bucket in 0..<buckets {
                let end = ends[bucket]
                if end - start > 1 { sortInPlace(rows + start, end - start, &scratch) }
                start = end
            }
        }
    }

    private static func insertionSort(_ rows: UnsafeMutablePointer<RankedRow>, _ count: Int) {
        guard count > 1 else { return }
        for index in 1..<count {
            let item = rows[index]
            var place = index
            while place > 0 && rows[place - 1].key > item.key {
                rows[place] = rows[place - 1]
                place &-= 1
            }
            rows[place] = item
        }
    }

    /// The leading bits of `key - low` over keys in `low … high`.
    private struct Digit {
        let low: UInt64
        let shift: UInt64
        let buckets: Int

        init(low: UInt64, high: UInt64, bits: Int) {
            self.low = low
            let width = UInt64.bitWidth - (high - low).leadingZeroBitCount
            shift = UInt64(max(0, width - min(max(bits, 1), widestDigit)))
            buckets = Int(truncatingIfNeeded: (high - low) >> shift) + 1
        }

        @inline(__always)
        func bucket(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &- low) &>> shift) }
    }

    /// Room for the largest bucket met so far.
    private struct Scratch: ~Copyable {
        private var memory: UnsafeMutablePointer<RankedRow>?
        private var capacity = 0

        mutating func rows(_ count: Int) -> UnsafeMutablePointer<RankedRow> {
            if let memory, count <= capacity { return memory }
            memory?.deallocate()
            let fresh = RadixSort.allocate(count)
            memory = fresh
            capacity = count
            return fresh
        }

        deinit { memory?.deallocate() }
    }
}
