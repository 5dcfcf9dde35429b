import Report
import Statistics

/// The least evidence that a verdict, and an interval that rests on large numbers, may stand on.
package enum Evidence {
    /// Independent units (clusters, else rows) in each arm.
    package static let leastUnits = 30
    /// Rows with, and rows without, a 0/1 outcome, over both arms.
    package static let leastOutcomes = 10

    /// Why a trial is too small for a verdict; nil when it is not.
    static func lacking(_ trial: Trial) -> String? {
        let units = trial.units
        let name = trial.clusters == nil ? "rows" : "clusters"
        if units.treated < leastUnits || units.control < leastUnits {
            return "\(units.treated) treated and \(units.control) control \(name): at least \(leastUnits) of each are "
                + "needed"
        }
        guard trial.hasBinaryOutcome else {
            let first = trial.outcome[0]
            return trial.outcome.allSatisfy { $0 == first } ? "every row has the same outcome" : nil
        }
        var with = 0
        for row in 0..<trial.count where trial.outcome[row] != 0 && (trial.weight?[row] ?? 1) > 0 { with += 1 }
        let without = trial.count - with
        guard with >= leastOutcomes && without >= leastOutcomes else {
            return "\(with) rows with the outcome and \(without) without: at least \(leastOutcomes) of each are needed"
        }
        return nil
    }

    /// Why a log is too small for a verdict on a policy; nil when it is not.
    static func lacking(_ ratio: [Double], _ log: DecisionLog, effective: Double) -> String? {
        let units = log.clusters?.count ?? log.count
        if units < leastUnits {
            return
                "\(units) \(log.clusters == nil ? "decisions" : "clusters of decisions"): at least \(leastUnits) are "
                + "needed"
        }
        if effective < Double(leastUnits) {
            return "the log is worth \(Figure.count(effective.rounded())) decisions of the policy's own: at least "
                + "\(leastUnits) are needed"
        }
        let first = log.reward[0]
        return log.reward.allSatisfy { $0 == first } ? "every decision has the same reward" : nil
    }
}
