import Base
import CTrees

/// The features of a data set as bins of one byte: the only copy of the rows that learning needs. What wants values reads the
/// mean of a row's bin.
///
/// Planes of 16 features, 16 bytes per row. Bin 0 is a missing value. A split after a bin becomes a threshold in the middle
/// of the gap between the values that were seen on either side.
///
/// ```swift
/// let matrix = BinnedMatrix(columns: columns, threads: 2)          // one [Float] or buffer a feature; NaN is missing
/// let model = GradientBoosting.fit(matrix, target: y, settings: settings)
/// ```
/// For data beyond memory: cut a sample with ``BinEdges``, then `BinnedMatrix(edges:rows:)` and `fill` chunk by chunk.
///
/// @unchecked Sendable: written only by `init` and `fill`, before it is shared.
package final class BinnedMatrix: @unchecked Sendable {
    package let rows: Int
    package let edges: [BinEdges]
    /// `planeCount` × `rows` × 16 bytes, and 16 more so that eight bytes can be read anywhere.
    package let planes: UnsafeMutablePointer<UInt8>
    /// The least and the greatest value in each bin, 256 a feature: `low` is +∞ for an empty bin.
    private let low: UnsafeMutablePointer<Float>
    private let high: UnsafeMutablePointer<Float>
    /// The sum of the values in each bin and how many there are, 256 a feature.
    private let sums: UnsafeMutablePointer<Double>
    private let counts: UnsafeMutablePointer<UInt64>

    package static let lanes = Int(CTREES_LANES)
    package static let bins = Int(CTREES_BINS)
    /// Values that a feature's cuts are chosen from.
    package static let sampleRows = 1 << 16

    package var features: Int { edges.count }
    package var planeCount: Int { (features + Self.lanes - 1) / Self.lanes }
    /// Bytes that a matrix takes.
    package static func byteCount(rows: Int, features: Int) -> Int { (features + lanes - 1) / lanes * rows * lanes }

    /// An empty matrix for `fill`; every value is missing.
    package init(edges: [BinEdges], rows: Int) {
        precondition(!edges.isEmpty && rows >= 0 && rows <= Int(Int32.max), "a matrix has features and rows")
        self.edges = edges
        self.rows = rows
        let bytes = Self.byteCount(rows: rows, features: edges.count) + 16
        planes = .allocate(capacity: bytes)
        adviseHugePages(planes, bytes: bytes)
        planes.initialize(repeating: 0, count: bytes)
        low = .allocate(capacity: edges.count * Self.bins)
        high = .allocate(capacity: edges.count * Self.bins)
        low.initialize(repeating: .infinity, count: edges.count * Self.bins)
        high.initialize(repeating: -.infinity, count: edges.count * Self.bins)
        sums = .allocate(capacity: edges.count * Self.bins)
        counts = .allocate(capacity: edges.count * Self.bins)
        sums.initialize(repeating: 0, count: edges.count * Self.bins)
        counts.initialize(repeating: 0, count: edges.count * Self.bins)
    }

    /// Bins whole columns of equal length, one a feature.
    package convenience init(columns: [UnsafeBufferPointer<Float>], threads: Int = 1) {
        let rows = columns.first?.count ?? 0
        precondition(columns.allSatisfy { $0.count == rows }, "columns must be equally long")
        let edges = Self.edges(columns, threads: threads)
        self.init(edges: edges, rows: rows)
        fill(columns, at: 0, threads: threads)
    }

    package convenience init(columns: [[Float]], threads: Int = 1) {
        // The arrays live until `init` has read them.
        var buffers: [UnsafeBufferPointer<Float>] = []
        func lend(_ index: Int, _ body: () -> Void) {
            guard index < columns.count else { return body() }
            columns[index].withUnsafeBufferPointer {
                buffers.append($0)
                lend(index + 1, body)
            }
        }
        var edges: [BinEdges] = []
        lend(0) { edges = Self.edges(buffers, threads: threads) }
        self.init(edges: edges, rows: columns.first?.count ?? 0)
        buffers = []
        lend(0) { fill(buffers, at: 0, threads: threads) }
    }

    deinit {
        planes.deallocate()
        low.deallocate()
        high.deallocate()
        sums.deallocate()
        counts.deallocate()
    }

    /// The matrix with one feature more, the last one.
    package func adding(_ column: UnsafeBufferPointer<Float>) -> BinnedMatrix {
        precondition(column.count == rows, "columns must be equally long")
        let wide = BinnedMatrix(edges: edges + Self.edges([column], threads: 1), rows: rows)
        wide.planes.update(from: planes, count: Self.byteCount(rows: rows, features: features))
        let places = features * Self.bins
        wide.low.update(from: low, count: places)
        wide.high.update(from: high, count: places)
        wide.sums.update(from: sums, count: places)
        wide.counts.update(from: counts, count: places)
        wide.fill(column, feature: features, at: 0)
        return wide
    }

    /// The cuts of whole columns, from every row or from an even sample of many.
    package static func edges(_ columns: [UnsafeBufferPointer<Float>], threads: Int) -> [BinEdges] {
        var edges = [BinEdges](repeating: BinEdges(cuts: []), count: columns.count)
        edges.withUnsafeMutableBufferPointer { edges in
            nonisolated(unsafe) let edges = edges  // each part writes its own element
            nonisolated(unsafe) let columns = columns
            Parallel.forEach(columns.count, threads: threads) { feature in
                let column = columns[feature]
                guard column.count > sampleRows else {
                    edges[feature] = BinEdges(sample: column)
                    return
                }
                let sample = (0..<sampleRows).map { column[$0 * column.count / sampleRows] }
                sample.withUnsafeBufferPointer { edges[feature] = BinEdges(sample: $0) }
            }
        }
        return edges
    }

    /// Bins the rows from `first` on: one column per feature, all of one length. Not from two threads at once.
    package func fill(_ columns: [UnsafeBufferPointer<Float>], at first: Int, threads: Int = 1) {
        precondition(columns.count == features && first + (columns.first?.count ?? 0) <= rows, "rows beyond the matrix")
        nonisolated(unsafe) let columns = columns
        Parallel.forEach(features, threads: threads) { fill(columns[$0], feature: $0, at: first) }
    }

    private func fill(_ values: UnsafeBufferPointer<Float>, feature: Int, at first: Int) {
        guard let start = values.baseAddress else { return }
        let place = feature * Self.bins
        edges[feature].cuts.withUnsafeBufferPointer { cuts in
            var none: Float = 0
            withUnsafePointer(to: &none) { none in
                ctrees_bin_column(
                    start, UInt64(values.count), cuts.baseAddress ?? none, UInt32(cuts.count),
                    column(feature) + first * Self.lanes, low + place, high + place, sums + place, counts + place)
            }
        }
    }

    /// The byte of row 0 of a feature; rows follow every 16 bytes.
    @inline(__always)
    package func column(_ feature: Int) -> UnsafeMutablePointer<UInt8> {
        planes + (feature / Self.lanes * rows * Self.lanes + feature % Self.lanes)
    }

    @inline(__always)
    package func bin(row: Int, feature: Int) -> UInt8 { column(feature)[row * Self.lanes] }

    /// Rows in a bin; bin 0 is that of missing values.
    package func count(feature: Int, bin: Int) -> Int { Int(counts[feature * Self.bins + bin]) }

    /// The mean of the values in a bin: the value itself when there is one only. NaN for missing values and empty bins.
    package func mean(feature: Int, bin: Int) -> Float {
        let place = feature * Self.bins + bin
        guard bin > 0, counts[place] > 0 else { return .nan }
        return min(max(Float(sums[place] / Double(counts[place])), low[place]), high[place])
    }

    /// The least and the greatest value of a feature; nil when all are missing.
    package func range(_ feature: Int) -> (least: Float, greatest: Float)? {
        let filled = (1..<Self.bins).filter { counts[feature * Self.bins + $0] > 0 }
        guard let first = filled.first, let last = filled.last else { return nil }
        return (low[feature * Self.bins + first], high[feature * Self.bins + last])
    }

    /// The threshold of a split that sends bins up to `left` to the left and those from `right` on to the right, the
    /// bins between holding no row at hand: x ≤ threshold goes left. +∞ when only missing values go right.
    package func threshold(feature: Int, left: Int, right: Int) -> Float {
        guard right <= edges[feature].binCount else { return .infinity }
        let (below, above) = (high[feature * Self.bins + left], low[feature * Self.bins + right])
        guard below < above, below.isFinite, above.isFinite else { return edges[feature].cuts[left - 1] }
        return BinEdges.middle(below, above)
    }

    /// The last bin that a split sends left, of those from `left` to `right` − 1 that part the rows at hand alike: the one
    /// whose threshold is nearest the middle of the gap. `threshold(feature:left:right:)` of it and the next bin then sends
    /// every row of the matrix where the bins do, also those in bins that the rows at hand do not have.
    package func lastLeft(feature: Int, left: Int, right: Int) -> Int {
        guard right <= edges[feature].binCount else { return edges[feature].binCount }
        guard right > left + 1 else { return left }
        let middle = Double(threshold(feature: feature, left: left, right: right))
        var (nearest, least) = (left, Double.infinity)
        for bin in left..<right {
            let distance = abs(Double(threshold(feature: feature, left: bin, right: bin + 1)) - middle)
            if distance < least { (nearest, least) = (bin, distance) }
        }
        return nearest
    }

    /// Whether a feature has missing values in any row.
    package func hasMissing(_ feature: Int) -> Bool {
        (1..<Self.bins).reduce(0) { $0 + count(feature: feature, bin: $1) } < rows
    }
}

/// One feature's values, each the mean of its bin.
package struct BinnedColumn: Sendable {
    private let matrix: BinnedMatrix
    private let means: [Float]
    private let place: Int

    package init(_ matrix: BinnedMatrix, _ feature: Int) {
        self.matrix = matrix
        means = (0..<BinnedMatrix.bins).map { matrix.mean(feature: feature, bin: $0) }
        place = matrix.column(feature) - matrix.planes
    }

    /// NaN: missing.
    @inline(__always)
    package subscript(_ row: Int) -> Float { means[Int(matrix.planes[place + row * BinnedMatrix.lanes])] }
}
