/// Spreads sort keys over buckets of some 2,000 rows each, whatever their distribution, without changing their order.
///
/// Doubles crowd: scores around 0 share half of all exponents, scores around 1 share one. So the range of the keys is cut
/// into up to 65,536 equal cells, a sample says how many rows each holds, and full cells are cut on by their next bits.
struct KeyBuckets {
    /// Where a cell's buckets begin, which bits tell them apart, and how many bits are left below those.
    private struct Cell {
        var first: UInt32
        var mask: UInt16
        var rest: UInt16
    }

    /// A bucket's size that the sample aims at.
    private static let aim = 2_048
    private static let widestCut = 12

    let count: Int
    /// For each bucket: in how many low bits its keys may differ.
    let restBits: UnsafeMutablePointer<UInt8>
    private let cells: UnsafeMutablePointer<Cell>
    private let low: UInt64
    private let shift: UInt64

    /// - Parameters:
    ///   - columns: give the keys.
    ///   - low: the lowest key, `high` the highest.
    init(_ columns: RankedColumns, low: UInt64, high: UInt64) {
        let rows = columns.count
        let width = UInt64.bitWidth - (high - low).leadingZeroBitCount
        let cellBits = min(width, max(1, min(16, rows.bitWidth - rows.leadingZeroBitCount - 4)))
        let shift = UInt64(width - cellBits)
        let cellCount = Int(truncatingIfNeeded: (high - low) >> shift) + 1
        let cells = UnsafeMutablePointer<Cell>.allocate(capacity: cellCount)

        let stride = rows > 1 << 17 ? 61 : 1
        let count = withUnsafeTemporaryAllocation(of: UInt32.self, capacity: cellCount) { samples in
            samples.initialize(repeating: 0)
            var row = 0
            while row < rows {
                samples[Int(truncatingIfNeeded: (columns.key(row) - low) >> shift)] &+= 1
                row += stride
            }
            let limit = UInt32(Self.aim / stride)
            var next = 0
            for cell in 0..<cellCount {
                var cut = 0
                while cut < min(Self.widestCut, Int(shift)) && samples[cell] >> UInt32(cut) > limit { cut += 1 }
                cells[cell] = Cell(
                    first: UInt32(next), mask: UInt16(1 << cut - 1), rest: UInt16(Int(shift) - cut))
                next += 1 << cut
            }
            return next
        }
        restBits = .allocate(capacity: count)
        self.low = low
        self.shift = shift
        self.cells = cells
        self.count = count
        for cell in 0..<cellCount {
            (restBits + Int(cells[cell].first)).initialize(
                repeating: UInt8(cells[cell].rest), count: Int(cells[cell].mask) + 1)
        }
    }

    func deallocate() {
        cells.deallocate()
        restBits.deallocate()
    }

    /// The key's bucket, and the bits in which it may differ from others there, shifted to the top.
    @inline(__always)
    func place(_ key: UInt64) -> (bucket: Int, rest: UInt64) {
        let offset = key &- low
        let cell = cells[Int(truncatingIfNeeded: offset &>> shift)]
        let bucket = Int(cell.first) &+ Int(truncatingIfNeeded: offset &>> UInt64(cell.rest) & UInt64(cell.mask))
        return (bucket, (offset &<< 1) &<< (63 &- UInt64(cell.rest)))
    }
}
