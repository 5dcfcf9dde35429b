import Base
import Statistics

/// Decisions that were taken with known probabilities, and what came of each: the input of off-policy evaluation.
///
/// All columns have one entry a decision.
package struct DecisionLog: Sendable {
    /// The action taken, 0 ..< `actionCount`.
    package let action: [Int32]
    package let actionCount: Int
    package let reward: [Double]
    /// The probability with which the logging policy took this action here: over 0, at most 1.
    package let propensity: [Double]
    /// Where the decision was taken, when the same action has another meaning or worth there (a position on the page);
    /// 0 ..< `stratumCount`.
    package let stratum: [Int32]
    package let stratumCount: Int
    /// What was known at the decision, `contextWidth` numbers a decision, row by row; empty when nothing is used.
    package let context: [Double]
    package let contextWidth: Int
    /// How much a decision counts; nil counts each as 1.
    package let weight: [Double]?

    /// Decisions that are not independent (those of one user); nil: each is a unit of its own.
    package let clusters: Clusters?

    package var count: Int { action.count }

    /// Takes the columns and checks them.
    ///
    /// - Throws: `bad_log` naming the column and the first row (counted from 0) at fault.
    package init(
        action: [Int32], actionCount: Int, reward: [Double], propensity: [Double], stratum: [Int32]? = nil,
        stratumCount: Int = 1, context: [Double] = [], contextWidth: Int = 0, weight: [Double]? = nil,
        clusters: Clusters? = nil
    ) throws(ImpactError) {
        func bad(_ message: String) -> ImpactError { ImpactError(.badInput, code: "bad_log", message) }
        let count = action.count
        guard count > 0 && actionCount > 0 else { throw bad("the log has no decisions") }
        let columns: [(String, Int, Int)] = [
            ("reward", reward.count, count), ("propensity", propensity.count, count),
            ("stratum", stratum?.count ?? count, count), ("context", context.count, count * contextWidth),
            ("weight", weight?.count ?? count, count), ("cluster", clusters?.code.count ?? count, count),
        ]
        for (name, length, expected) in columns where length != expected {
            throw bad("column \(name) has \(length) entries, \(expected) are needed")
        }
        if let row = action.firstIndex(where: { $0 < 0 || $0 >= actionCount }) {
            throw bad("action of row \(row) is \(action[row]): it must be 0 to \(actionCount - 1)")
        }
        if let stratum, let row = stratum.firstIndex(where: { $0 < 0 || $0 >= stratumCount }) {
            throw bad("stratum of row \(row) is \(stratum[row]): it must be 0 to \(stratumCount - 1)")
        }
        if let row = reward.firstIndex(where: { !$0.isFinite }) {
            throw bad("reward of row \(row) is \(reward[row]): it must be a finite number")
        }
        if let row = context.firstIndex(where: { !$0.isFinite }) {
            throw bad("context of row \(row / contextWidth) holds \(context[row]): it must be a finite number")
        }
        if let row = propensity.firstIndex(where: { !($0 > 0 && $0 <= 1) }) {
            throw bad(
                "propensity of row \(row) is \(propensity[row]): an action that was taken had a probability over 0, "
                    + "at most 1")
        }
        if let weight, let row = weight.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) {
            throw bad("weight of row \(row) is \(weight[row]): it must be a finite number, 0 or more")
        }
        if let weight, weight.allSatisfy({ $0 == 0 }) {
            throw ImpactError(
                .badInput, code: "no_weight",
                "the weights of all decisions are 0, so there is nothing to value; check the column of --weight")
        }
        self.action = action
        self.actionCount = actionCount
        self.reward = reward
        self.propensity = propensity
        self.stratum = stratum ?? [Int32](repeating: 0, count: count)
        self.stratumCount = stratum == nil ? 1 : stratumCount
        self.context = context
        self.contextWidth = contextWidth
        self.weight = weight
        self.clusters = clusters
    }
}

/// The policy to be valued: writes the probability of each action at a row of the log.
package struct TargetPolicy: Sendable {
    package let name: String
    /// Writes `actionCount` probabilities that sum to 1.
    let probabilities: @Sendable (_ row: Int, _ into: UnsafeMutableBufferPointer<Double>) -> Void

    /// - Parameter probabilities: fills the buffer with the probability of each action at the row.
    package init(
        _ name: String, probabilities: @escaping @Sendable (Int, UnsafeMutableBufferPointer<Double>) -> Void
    ) {
        self.name = name
        self.probabilities = probabilities
    }

    /// Every action alike.
    package static let uniform = TargetPolicy("uniform") { _, out in
        out.update(repeating: 1 / Double(max(out.count, 1)))
    }

    /// The same probabilities at every row of a stratum; `table` holds `actionCount` numbers a stratum.
    package static func table(_ name: String, _ table: [Double], log: DecisionLog) -> TargetPolicy {
        let stratum = log.stratum
        return TargetPolicy(name) { row, out in
            let start = Int(stratum[row]) * out.count
            for action in 0..<out.count { out[action] = table[start + action] }
        }
    }
}
