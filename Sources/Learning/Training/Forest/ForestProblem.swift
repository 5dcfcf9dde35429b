import Foundation
import Trees

/// What a forest is grown on: rows in bins, and for each the residuals of treatments and outcome, and a weight.
///
/// The forest solves E[w (Ỹ − T̃ᵀθ(x)) T̃ | x] = 0. With T̃ = 1 throughout it is a regression forest of Ỹ.
package final class ForestProblem: @unchecked Sendable {  // filled before it is shared
    package let rows: BinnedMatrix
    /// q: residuals of treatments a row.
    package let treatments: Int
    package let hasWeights: Bool
    /// rows × width: q residuals of treatments, that of the outcome, the weight.
    package let values: UnsafeMutablePointer<Float>
    package var width: Int { treatments + 1 + (hasWeights ? 1 : 0) }
    /// For each row the number of its cluster, 0 ..< clusterCount; nil: rows stand alone.
    package let clusters: [UInt32]?
    package let clusterCount: Int

    /// - Parameter value: of a row and a place in it (q treatments, the outcome, the weight).
    package init(
        rows: BinnedMatrix, treatments: Int, hasWeights: Bool = false, clusters: [UInt32]? = nil,
        fill: (UnsafeMutablePointer<Float>) -> Void
    ) {
        self.rows = rows
        self.treatments = treatments
        self.hasWeights = hasWeights
        self.clusters = clusters
        clusterCount = clusters.map { Int($0.max() ?? 0) + 1 } ?? 0
        values = .allocate(capacity: max(1, rows.rows * (treatments + 1 + (hasWeights ? 1 : 0))))
        fill(values)
    }

    deinit { values.deallocate() }

    /// A binary or continuous treatment's residuals.
    package convenience init(
        rows: BinnedMatrix, treatment: [Float], outcome: [Float], weights: [Float]? = nil, clusters: [UInt32]? = nil
    ) {
        self.init(rows: rows, treatments: 1, hasWeights: weights != nil, clusters: clusters) { values in
            for row in 0..<rows.rows {
                if let weights {
                    values[row * 3] = treatment[row]
                    values[row * 3 + 1] = outcome[row]
                    values[row * 3 + 2] = weights[row]
                } else {
                    values[row * 2] = treatment[row]
                    values[row * 2 + 1] = outcome[row]
                }
            }
        }
    }

    /// A regression forest's problem: E[outcome | x].
    package static func regression(
        rows: BinnedMatrix, outcome: (Int) -> Float, weights: [Float]? = nil, clusters: [UInt32]? = nil
    ) -> ForestProblem {
        ForestProblem(rows: rows, treatments: 1, hasWeights: weights != nil, clusters: clusters) { values in
            let width = weights == nil ? 2 : 3
            for row in 0..<rows.rows {
                values[row * width] = 1
                values[row * width + 1] = outcome(row)
                if let weights { values[row * width + 2] = weights[row] }
            }
        }
    }
}
