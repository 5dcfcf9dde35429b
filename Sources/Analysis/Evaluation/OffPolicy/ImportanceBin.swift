/// A range of importance weights: how much of the log has such weights, and how much of the estimate rests on them.
package struct ImportanceBin: Sendable, Equatable {
    /// Weights above `lower` up to `upper`; the first bin holds 0 alone.
    package let lower: Double
    package let upper: Double
    /// The share of all decisions (weighted, when the log is).
    package internal(set) var decisions = 0.0
    /// The share of the sum of importance weights.
    package internal(set) var weight = 0.0

    private static let edges = [0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, .infinity]

    /// - Parameters:
    ///   - ratio: importance weights, one a row.
    ///   - weight: how much each row counts.
    /// - Returns: the bins from the lowest weight to the highest that come; those between are there though empty.
    static func bins(_ ratio: [Double], _ weight: [Double]?) -> [ImportanceBin] {
        var bins = [ImportanceBin(lower: 0, upper: 0)]
        for (lower, upper) in zip(edges, edges.dropFirst()) { bins.append(ImportanceBin(lower: lower, upper: upper)) }
        var total = (decisions: 0.0, weight: 0.0)
        for row in ratio.indices {
            let counts = weight?[row] ?? 1
            let bin = bins.firstIndex { ratio[row] <= $0.upper } ?? bins.count - 1
            bins[bin].decisions += counts
            bins[bin].weight += counts * ratio[row]
            total = (total.decisions + counts, total.weight + counts * ratio[row])
        }
        for bin in bins.indices {
            bins[bin].decisions = Tally.ratio(bins[bin].decisions, total.decisions)
            bins[bin].weight = Tally.ratio(bins[bin].weight, total.weight)
        }
        guard let first = bins.firstIndex(where: { $0.decisions > 0 }),
            let last = bins.lastIndex(where: { $0.decisions > 0 })
        else { return [] }
        return Array(bins[first...last])
    }
}
