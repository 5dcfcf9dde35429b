import Base
import Trees

/// Columns for linear models: standardised, missing values at the mean; columns without variance are left out.
///
/// A value is the mean of its bin, read from a table: a copy of the features would cost more memory than the bins. The error
/// x − E[x | bin] is uncorrelated with the bin, so that it does not bias a coefficient (Berkson 1950).
///
/// @unchecked Sendable: written by `init` alone.
final class Design: @unchecked Sendable {
    struct Column: Sendable, Equatable {
        var feature: Int
        var mean: Double
        var deviation: Double
        var least: Double
        var greatest: Double
    }

    let rows: Int
    /// Where each column comes from.
    let sources: [Column]
    var width: Int { sources.count }
    private let matrix: BinnedMatrix
    /// For each column the first byte of its feature in the planes, and its 256 standardised values.
    private let places: UnsafeMutablePointer<Int>
    private let table: UnsafeMutablePointer<Double>

    /// - Parameter except: features that are left out.
    init(_ matrix: BinnedMatrix, except: Set<Int> = []) {
        self.matrix = matrix
        rows = matrix.rows
        sources = (0..<matrix.features).filter { !except.contains($0) }.compactMap { Self.standardised(matrix, $0) }
        places = .allocate(capacity: max(1, sources.count))
        table = .allocate(capacity: max(1, sources.count * BinnedMatrix.bins))
        for (column, source) in sources.enumerated() {
            places[column] = matrix.column(source.feature) - matrix.planes
            for bin in 0..<BinnedMatrix.bins {
                let value = Double(matrix.mean(feature: source.feature, bin: bin))
                table[column * BinnedMatrix.bins + bin] = value.isNaN ? 0 : (value - source.mean) / source.deviation
            }
        }
    }

    deinit {
        places.deallocate()
        table.deallocate()
    }

    /// One value: (x − mean) / deviation.
    @inline(__always)
    func value(_ column: Int, _ row: Int) -> Double {
        table[column * BinnedMatrix.bins + Int(matrix.planes[places[column] + row * BinnedMatrix.lanes])]
    }

    /// The first `width` places of `x`.
    @inline(__always)
    func read(_ row: Int, into x: inout [Double]) {
        for column in 0..<sources.count { x[column] = value(column, row) }
    }

    /// Whether a column has two values at the most, missing ones among them.
    func hasTwoValues(_ column: Int) -> Bool {
        let feature = sources[column].feature
        let filled = (0..<BinnedMatrix.bins).filter { matrix.count(feature: feature, bin: $0) > 0 }
        return Set(filled.map { table[column * BinnedMatrix.bins + $0] }).count <= 2
    }

    private static func standardised(_ matrix: BinnedMatrix, _ feature: Int) -> Column? {
        guard let (least, greatest) = matrix.range(feature), least < greatest else { return nil }
        let bins = (1..<BinnedMatrix.bins).map {
            (
                count: Double(matrix.count(feature: feature, bin: $0)),
                mean: Double(matrix.mean(feature: feature, bin: $0))
            )
        }
        .filter { $0.count > 0 }
        let count = bins.reduce(0) { $0 + $1.count }
        let mean = bins.reduce(0) { $0 + $1.count * $1.mean } / count
        let squares = bins.reduce(0) { $0 + $1.count * ($1.mean - mean) * ($1.mean - mean) }
        let deviation = (squares / count).squareRoot()
        guard deviation > 0, deviation.isFinite else { return nil }
        return Column(
            feature: feature, mean: mean, deviation: deviation, least: Double(least), greatest: Double(greatest))
    }
}
