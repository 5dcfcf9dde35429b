import Base
import Foundation

/// Credit in proportion to the causal effect of each session, where a score states it.
///
/// A session without a score, or with a negative effect, gets nothing; a journey without any positive score is divided
/// equally, since one unit a conversion is conserved in every model. How many conversions would not have happened at all is
/// another number: ``CausalTotals``.
package struct CausalModel: CreditModel {
    package init() {}

    /// What is missing where no session has a score.
    package static let withoutScores = ImpactError(
        .badInput, code: "no_scores",
        "the model causal divides by uplift scores, and no session has one: give --scores (a log store or a CSV), or columns "
            + "uplift and uplift_std_error in session_sources")

    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        weights.removeAll(keepingCapacity: true)
        for touch in touches { weights.append(touch.uplift > 0 ? Double(touch.uplift) : 0) }
    }
}

/// Incremental conversions by channel: the sum of the effects of its scored sessions, whether they converted or not.
package struct CausalTotals: Sendable {
    package struct Row: Sendable, Equatable {
        package var channel: Int32
        package var sessions: Int
        package var scored: Int
        package var incremental: Double
        /// The standard error of ``incremental``: the errors of one model's scores are taken as wholly dependent, which
        /// is the widest interval.
        package var standardError: Double
    }

    private var rows: [Int32: Row] = [:]

    package init() {}

    package mutating func add(_ touches: [Touch]) {
        for touch in touches {
            var row =
                rows[touch.channel]
                ?? Row(channel: touch.channel, sessions: 0, scored: 0, incremental: 0, standardError: 0)
            row.sessions += 1
            if touch.uplift.isFinite {
                row.scored += 1
                row.incremental += Double(touch.uplift)
                row.standardError += touch.upliftError.isFinite ? Double(touch.upliftError) : 0
            }
            rows[touch.channel] = row
        }
    }

    package var sorted: [Row] { rows.values.sorted { $0.channel < $1.channel } }
}
