import Base
import Report
import Statistics

/// A trial whose weights count rows, with each row written out as often as it counts: every number that follows is then that of
/// the rows themselves.
struct WrittenRows {
    let trial: Trial
    var extras: EvaluationExtras

    /// Rows that are written out at the most.
    private static let mostRows = 50_000_000.0

    /// - Parameter weight: the trial's, whole numbers.
    init(_ weight: [Double], _ trial: Trial, _ extras: EvaluationExtras) throws(ImpactError) {
        let total = weight.reduce(0, +)
        guard total <= Self.mostRows else {
            throw ImpactError(
                .badInput, code: "bad_options",
                "frequency weights stand for \(Figure.count(total)) rows; \(Figure.count(Self.mostRows)) are the most")
        }
        var rows: [Int] = []
        rows.reserveCapacity(Int(saturating: total))
        for (row, count) in weight.enumerated() {
            for _ in 0..<Int(saturating: count) { rows.append(row) }
        }
        func taken<Value>(_ column: [Value]) -> [Value] { rows.map { column[$0] } }
        self.trial = try Trial(
            score: taken(trial.score), treatment: taken(trial.treatment), outcome: taken(trial.outcome),
            propensity: trial.propensity.map(taken), standardError: trial.standardError.map(taken),
            clusters: trial.clusters?.taking(rows), experiments: trial.experiments?.taking(rows))
        self.extras = extras
        self.extras.challenger = extras.challenger.map { ($0.name, taken($0.score)) }
        self.extras.covariates.columns = extras.covariates.columns.map(taken)
        self.extras.cost = extras.cost.map(taken)
        // Arms may have rows of their own number: those of arms that are not compared here.
        self.extras.arms = try extras.arms.map { arms throws(ImpactError) in try arms.writtenOut() }
    }
}

extension ArmTrial {
    /// The rows as often as their weights count them.
    fileprivate func writtenOut() throws(ImpactError) -> ArmTrial {
        guard let weight else { return self }
        var rows: [Int] = []
        for (row, count) in weight.enumerated() {
            for _ in 0..<Int(saturating: count) { rows.append(row) }
        }
        func taken<Value>(_ column: [Value]) -> [Value] { rows.map { column[$0] } }
        return try ArmTrial(
            arms: arms, arm: taken(arm), outcome: taken(outcome), scores: scores.map(taken),
            propensity: hasPropensity ? taken(propensity) : nil, clusters: clusters?.taking(rows),
            experiments: experiments?.taking(rows))
    }
}
