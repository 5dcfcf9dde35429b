import Base

/// A stable radix sort of a trial's rows that leaves 8 bytes per row: index, flags, and where ties end.
///
/// One pass spreads the rows over buckets (`KeyBuckets`). There a row is one integer: above, what its key has beside the
/// other keys of the bucket, as many bits as fit; below, its place in reverse input order, and its flags. Such integers
/// are all different, so sorting them by value is a stable sort, and a bucket of them lies in the nearest cache. Where
/// bits of a key had to be cut off, neighbours that look equal are looked up.
/// The order is unique, hence the same for any number of threads.
struct RadixSort {
    private let columns: RankedColumns
    private let threads: Int
    /// Slices of the input, one a thread.
    private let slices: Int

    init(_ columns: RankedColumns, threads: Int) {
        self.columns = columns
        self.threads = threads
        slices = threads > 1 && columns.count > 1 << 15 ? threads : 1
    }

    /// Fills `rows` with all rows in ascending order of key, ties from the last row to the first.
    func sort(into rows: UnsafeMutablePointer<RankedRow>) {
        let bounds = bounds()
        let buckets = KeyBuckets(columns, low: bounds.low, high: bounds.high)
        let packing = Packing(columns.count, sharedBits: bounds.shared)
        let ends = UnsafeMutablePointer<Int>.allocate(capacity: buckets.count)
        defer {
            buckets.deallocate()
            ends.deallocate()
        }
        spread(buckets, packing, into: rows, ends)
        // Groups of buckets of about as many rows each.
        let groups = min(columns.count, threads * 32)
        var firsts = [0]
        for bucket in 0..<buckets.count {
            while firsts.count < groups && ends[bucket] > columns.count * firsts.count / groups {
                firsts.append(bucket)
            }
        }
        firsts += [Int](repeating: buckets.count, count: groups + 1 - firsts.count)
        firsts.withUnsafeBufferPointer { firsts in
            Parallel.forEach(groups, threads: threads) { group in
                var sorter = BucketSort(packing, columns)
                for bucket in firsts[group]..<firsts[group + 1] {
                    let start = bucket == 0 ? 0 : ends[bucket - 1]
                    guard ends[bucket] > start else { continue }
                    sorter.sort(rows + start, ends[bucket] - start, restBits: Int(buckets.restBits[bucket]))
                }
            }
        }
    }

    /// The rows of a slice; the last slice comes first, because ties stand in reverse input order.
    private func input(_ slice: Int) -> Range<Int> {
        Parallel.slice(slices - 1 - slice, of: slices, count: columns.count)
    }

    /// Writes every row, packed, into its bucket, and where each bucket ends.
    private func spread(
        _ buckets: KeyBuckets, _ packing: Packing, into rows: UnsafeMutablePointer<RankedRow>,
        _ ends: UnsafeMutablePointer<Int>
    ) {
        // starts[slice * buckets + bucket]: first counts, then where the slice writes its next row of that bucket.
        let starts = UnsafeMutablePointer<Int>.allocate(capacity: slices * buckets.count)
        defer { starts.deallocate() }
        Parallel.forEach(slices, threads: threads) { slice in
            let counts = starts + slice * buckets.count
            counts.initialize(repeating: 0, count: buckets.count)
            for row in input(slice) { counts[buckets.place(columns.key(row)).bucket] &+= 1 }
        }
        var next = 0
        for bucket in 0..<buckets.count {
            for slice in 0..<slices {
                let size = starts[slice * buckets.count + bucket]
                starts[slice * buckets.count + bucket] = next
                next &+= size
            }
            ends[bucket] = next
        }
        Parallel.forEach(slices, threads: threads) { slice in
            let places = starts + slice * buckets.count
            for row in input(slice).reversed() {
                let (bucket, rest) = buckets.place(columns.key(row))
                rows[places[bucket]] = packing.pack(rest, row, columns.flags(row))
                places[bucket] &+= 1
            }
        }
    }

    /// The lowest and the highest key, and in how many of their lowest bits all keys agree.
    private func bounds() -> (low: UInt64, high: UInt64, shared: Int) {
        typealias Bounds = (low: UInt64, high: UInt64, differing: UInt64)
        let first = columns.key(0)
        return withUnsafeTemporaryAllocation(of: Bounds.self, capacity: slices) { parts in
            Parallel.forEach(slices, threads: threads) { slice in
                var low = UInt64.max
                var high = UInt64.min
                var differing: UInt64 = 0
                for row in input(slice) {
                    let key = columns.key(row)
                    low = min(low, key)
                    high = max(high, key)
                    differing |= key ^ first
                }
                parts[slice] = (low, high, differing)
            }
            var all: Bounds = (first, first, 0)
            for part in parts {
                all = (min(all.low, part.low), max(all.high, part.high), all.differing | part.differing)
            }
            return (all.low, all.high, all.differing.trailingZeroBitCount)
        }
    }
}

/// How a row is packed into an integer while its bucket is sorted: `key bits │ place in reverse input order │ flags`.
struct Packing {
    let count: Int
    /// The bits below the key's.
    let payloadBits: UInt64
    let payloadMask: UInt64
    /// The lowest bits in which all keys agree.
    let sharedBits: Int

    init(_ count: Int, sharedBits: Int) {
        self.count = count
        self.sharedBits = sharedBits
        payloadBits = UInt64(2 + count.bitWidth - (count - 1).leadingZeroBitCount)
        payloadMask = 1 << payloadBits - 1
    }

    /// Whether keys that may differ in that many bits are the same when their packed bits are.
    func isExact(restBits: Int) -> Bool { restBits - sharedBits <= UInt64.bitWidth - Int(payloadBits) }

    @inline(__always)
    func pack(_ rest: UInt64, _ row: Int, _ flags: UInt64) -> RankedRow {
        let place = UInt64(truncatingIfNeeded: count &- 1 &- row)
        return RankedRow(bits: rest & ~payloadMask | place &<< 2 | flags)
    }

    /// The input's row of a packed one.
    @inline(__always)
    func row(_ packed: RankedRow) -> Int {
        count &- 1 &- Int(truncatingIfNeeded: (packed.bits & payloadMask) >> 2)
    }

    @inline(__always)
    func ranked(_ packed: RankedRow, isLastOfTie: Bool) -> RankedRow {
        RankedRow(bits: UInt64(row(packed)) &<< 3 | (isLastOfTie ? 4 : 0) | packed.bits & 3)
    }

    @inline(__always)
    func looksEqual(_ a: RankedRow, _ b: RankedRow) -> Bool { (a.bits ^ b.bits) &>> payloadBits == 0 }
}
