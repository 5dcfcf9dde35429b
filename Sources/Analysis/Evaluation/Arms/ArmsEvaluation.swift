import Base
import Statistics

/// What a trial of several arms says: each arm by itself, and the choice of an arm for each person.
package struct ArmsEvaluation: Sendable {
    /// One treatment against control.
    package struct Arm: Sendable {
        package let label: String
        package let rows: Int
        /// Mean outcome if everyone had this treatment, doubly robust.
        package let mean: ValueEstimate
        /// The average effect against control, doubly robust.
        package let effect: ValueEstimate
        package let cost: Double
        /// Outcome value times effect, less the cost, a person.
        package let net: ValueEstimate
        /// Of this arm's own score, against control; nil where the arm's chances differ from row to row.
        package let qini: EvaluationReport.Coefficient?
        package let rate: RankWeightedEffect
        /// For drawing.
        package let curve: Curve?
        /// The budget curve when this is the only treatment.
        package let budget: BudgetCurve
    }

    /// The value of a way to choose.
    package struct Choice: Sendable {
        package let name: String
        /// The share of people who get each arm, control first.
        package let shares: [Double]
        package let value: ValueEstimate
        package let gainOverNobody: ValueEstimate
        /// Against the best single arm for everyone.
        package let gainOverBestArm: ValueEstimate
        /// Gain over nobody times the outcome's value, less costs.
        package let net: ValueEstimate
    }

    package let control: String
    package let controlRows: Int
    package let controlMean: ValueEstimate
    package let arms: [Arm]
    package let choices: [Choice]
    /// The name of the best single arm: the one whose net value for everyone is highest, control included.
    package let bestArm: String
    package let budget: BudgetCurve
    package let sampleRatio: SampleRatioTest?
    package let hasCosts: Bool
    package let outcomeValue: Double
    package let notes: [String]

    /// Costs are those of the options; without any, net values have none and a budget counts people.
    ///
    /// - Throws: `bad_options` for a cost of an arm that is not there, or costs for some treatments only.
    package init(
        _ trial: ArmTrial, options: EvaluationOptions
    ) throws(ImpactError) {
        let names = trial.arms
        for name in options.costs.keys.sorted() where !name.isEmpty && !names.contains(name) {
            throw ImpactError(
                .usage, code: "bad_options",
                "--cost names the arm '\(name)', which the data does not have; its arms are "
                    + names.map { "'\($0)'" }.joined(separator: ", "))
        }
        let costs = names.enumerated().map { $0 == 0 ? options.costs[$1] ?? 0 : options.cost(of: $1) ?? 0 }
        let hasCosts = costs.contains { $0 > 0 }
        if hasCosts, let free = names.indices.dropFirst().first(where: { costs[$0] <= 0 }) {
            throw ImpactError(
                .usage, code: "bad_options",
                "arm '\(names[free])' has no cost over 0, others have: say --cost '\(names[free])=COST' too")
        }
        if costs[0] != 0 {
            throw ImpactError(
                .usage, code: "bad_options", "--cost names the control arm '\(names[0])': costs are beside control's")
        }
        let value = options.outcomeValue
        let means = try trial.robustMeans(seed: options.seed)
        let count = names.count
        func column(_ arm: Int) -> [Double] { (0..<trial.count).map { means[$0 * count + arm] } }
        let columns = (0..<count).map(column)
        func estimate(_ contributions: [Double]) -> ValueEstimate {
            ValueEstimate(
                mean: contributions, weight: trial.weight, clusters: trial.clusters, level: options.level)
        }
        let effects = (1..<count).map { arm in zip(columns[arm], columns[0]).map { $0 - $1 } }
        let unitCosts = hasCosts ? Array(costs.dropFirst()) : [Double](repeating: 1, count: count - 1)
        // Predictions in money when there are costs: an arm is chosen when what it brings is worth its cost.
        let predicted = trial.scores
        let budget = BudgetCurve(
            effects: effects, predicted: predicted, cost: unitCosts, weight: trial.weight, clusters: trial.clusters)

        var notes: [String] = []
        var arms: [Arm] = []
        for arm in 1..<count {
            let pair = try trial.pair(arm)
            if pair == nil {
                notes.append(
                    "arm '\(names[arm])': no Qini coefficient, because the arms' propensities differ from row to row")
            }
            var qini: EvaluationReport.Coefficient?
            var curve: Curve?
            if let pair {
                let adjusted = pair.hasVaryingPropensity || pair.experiments != nil
                let ranked = RankedTrial(adjusted ? try pair.adjustedForPropensity() : pair, threads: options.threads)
                let drawn = ranked.qiniCurve()
                let lacking = Evidence.lacking(pair)
                let spread = lacking == nil ? ranked.bootstrap(options.bootstrap).qini : nil
                qini = EvaluationReport.Coefficient(
                    ranked.qiniCoefficient(of: drawn), spread, undefined: "no outcome differs", lacking: lacking)
                curve = drawn.thinned(to: 201)
            }
            arms.append(
                Arm(
                    label: names[arm], rows: trial.arm.count { Int($0) == arm }, mean: estimate(columns[arm]),
                    effect: estimate(effects[arm - 1]), cost: costs[arm],
                    net: estimate(effects[arm - 1].map { value * $0 - costs[arm] }), qini: qini,
                    rate: RankWeightedEffect(
                        scores: effects[arm - 1], priority: trial.scores[arm - 1], weight: trial.weight,
                        clusters: trial.clusters, shares: []),
                    curve: curve,
                    budget: BudgetCurve(
                        effects: [effects[arm - 1]], predicted: [trial.scores[arm - 1]], cost: [unitCosts[arm - 1]],
                        weight: trial.weight, clusters: trial.clusters)))
        }

        // The best single arm, by its own net value; control when none is worth its cost.
        let best = arms.indices.max { arms[$0].net.value < arms[$1].net.value } ?? 0
        let bestPlace = arms[best].net.value > 0 ? best + 1 : 0
        func choice(_ name: String, _ chosen: (Int) -> Int) -> Choice {
            let taken = (0..<trial.count).map(chosen)
            var shares = [Double](repeating: 0, count: count)
            var total = 0.0
            for row in 0..<trial.count {
                shares[taken[row]] += trial.weight?[row] ?? 1
                total += trial.weight?[row] ?? 1
            }
            let own = (0..<trial.count).map { columns[taken[$0]][$0] }
            let nobody = (0..<trial.count).map { own[$0] - columns[0][$0] }
            return Choice(
                name: name, shares: shares.map { $0 / total }, value: estimate(own), gainOverNobody: estimate(nobody),
                gainOverBestArm: estimate((0..<trial.count).map { own[$0] - columns[bestPlace][$0] }),
                net: estimate((0..<trial.count).map { value * nobody[$0] - costs[taken[$0]] }))
        }
        var choices = [choice("nobody") { _ in 0 }]
        for arm in 1..<count { choices.append(choice("everybody \(names[arm])") { _ in arm }) }
        choices.append(
            choice("the best arm for each") { row in
                var pick = (arm: 0, worth: 0.0)
                for arm in 1..<count {
                    let worth = value * predicted[arm - 1][row] - costs[arm]
                    if worth > pick.worth { pick = (arm, worth) }
                }
                return pick.arm
            })
        control = names[0]
        controlRows = trial.arm.count { $0 == 0 }
        controlMean = estimate(columns[0])
        self.arms = arms
        self.choices = choices
        bestArm = names[bestPlace]
        self.budget = budget
        self.hasCosts = hasCosts
        outcomeValue = value
        sampleRatio =
            trial.hasPropensity
            ? SampleRatioTest(
                arm: trial.arm, armCount: count, propensity: trial.propensity, clusters: trial.clusters) : nil
        self.notes = notes
    }
}
