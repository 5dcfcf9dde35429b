import Base
import Foundation
import Rows
import Statistics
import Trees

/// What a referee asks of a trial before any number is believed.
package struct TrainingDiagnostics: Sendable {
    /// Rows of each arm against what the propensities promise; nil when they are estimated, or the treatment is a number.
    package var sampleRatio: SampleRatioTest?
    /// For each arm but the control: means of the features in it and in the control, as they are and after weighting.
    package var balance: [Balance]
    package var overlap: Overlap?
    /// By outcome, by effect.
    package var ranking: [[RankWeightedEffect]]
    package var suspects: [Suspect]

    package struct Balance: Sendable {
        package var arm: String
        /// The greatest standardised differences first.
        package var features: [(name: String, before: Double, after: Double)]
    }

    package struct Overlap: Sendable {
        /// Of the chance of the first arm; and of each arm's.
        package var least: Double
        package var greatest: Double
        package var arms: [(least: Double, greatest: Double)]
        /// The share of rows whose chance of any arm is below 0.05.
        package var thin: Double
        /// Counts of the chance of the treatment (the first arm) in twenty equal steps from 0 to 1.
        package var histogram: [Int]
    }

    /// A feature that looks as if it came after the treatment.
    package struct Suspect: Sendable, Equatable {
        package var feature: String
        package var why: String
    }

    /// Rows that balance and ranking look at, at the most.
    private static let mostRows = 400_000

    package init(_ data: TrainingData, _ nuisances: Nuisances, _ outcomes: [TrainedOutcome]) {
        let isKnown: Bool
        switch data.plan.propensity {
        case .constant, .ownArm, .treated: isKnown = true
        case .estimate, .mean, .residuals: isKnown = false
        }
        let step = max(1, data.count / Self.mostRows)
        let rows = Array(stride(from: 0, to: data.count, by: step))
        let clusters = data.clusters.map { all in Clusters(labels: rows.map { all[$0] }) }
        if isKnown, !nuisances.propensity.isEmpty {
            let own = rows.map { Double(nuisances.propensity[Int(data.arms[$0])][$0]) }
            sampleRatio = SampleRatioTest(
                arm: rows.map { Int32(data.arms[$0]) }, armCount: data.armCount, propensity: own, clusters: clusters)
        }
        balance = []
        if let arms = data.plan.arms {
            for arm in 1..<arms.count {
                balance.append(Self.balance(data, nuisances, arm, name: data.plan.effects[arm - 1], rows: rows))
            }
            overlap = Self.overlap(nuisances, data.count)
        }
        ranking = outcomes.map { outcome in
            outcome.effects.indices.map { effect in
                RankWeightedEffect(
                    scores: rows.map { Double(outcome.scores.scores[effect][$0]) },
                    priority: rows.map { Double(outcome.effects[effect][$0]) },
                    weight: rows.map { outcome.judgedWeight(data, $0) }, clusters: clusters,
                    folds: rows.map { outcome.folds.fold[$0] })
            }
        }
        suspects = []
    }

    private static func balance(
        _ data: TrainingData, _ nuisances: Nuisances, _ arm: Int, name: String, rows: [Int]
    ) -> Balance {
        let used = rows.filter { Int(data.arms[$0]) == arm || data.arms[$0] == 0 }
        let chance = used.map { row -> Double in
            let (a, b) = (Double(nuisances.propensity[arm][row]), Double(nuisances.propensity[0][row]))
            return a / (a + b)
        }
        let treatment = used.map { UInt8(Int(data.arms[$0]) == arm ? 1 : 0) }
        let weight = data.weights.map { weights in used.map { Double(weights[$0]) } }
        let pairs = zip(data.featureNames, data.features).map { name, column in
            // One feature at a time: all of them would take more memory than the bins.
            let values = used.map { Double(column[$0]) }
            func difference(_ chance: [Double]?) -> Double {
                CovariateBalance(
                    names: [name], columns: [values], treatment: treatment, propensity: chance, weight: weight
                ).covariates[0].standardizedDifference ?? 0
            }
            return (name: name, before: difference(nil), after: difference(chance))
        }
        return Balance(arm: name, features: pairs.sorted { abs($0.before) > abs($1.before) })
    }

    private static func overlap(_ nuisances: Nuisances, _ count: Int) -> Overlap? {
        guard nuisances.propensity.count > 1, count > 0 else {
            return nil
        }
        var thin = 0
        var arms = nuisances.propensity.dropFirst().map { _ in (least: Double.infinity, greatest: -Double.infinity) }
        var histogram = [Int](repeating: 0, count: 20)
        for row in 0..<count {
            let treated = Double(nuisances.propensity[1][row])
            histogram[min(19, max(0, Int(treated * 20)))] += 1
            for arm in arms.indices {
                let chance = Double(nuisances.propensity[arm + 1][row])
                arms[arm] = (min(arms[arm].least, chance), max(arms[arm].greatest, chance))
            }
            if nuisances.propensity.contains(where: { $0[row] < 0.05 }) { thin += 1 }
        }
        return Overlap(
            least: arms[0].least, greatest: arms[0].greatest, arms: arms, thin: Double(thin) / Double(count),
            histogram: histogram)
    }

    /// Features that look as if they came after the treatment: in a randomised trial nothing that came before it can tell the
    /// arms apart, and nowhere does a feature know the outcome.
    package static func suspects(_ data: TrainingData) -> [Suspect] {
        var found: [Suspect] = []
        let isRandomised: Bool
        switch data.plan.propensity {
        case .constant: isRandomised = true
        default: isRandomised = false
        }
        for (name, column) in zip(data.featureNames, data.features) {
            if let plain = data.outcomes.firstIndex(where: { outcome in
                (0..<data.count).allSatisfy { column[$0] == outcome[$0] }
            }) {
                found.append(
                    Suspect(feature: name, why: "equals the outcome \(data.plan.outcomes[plain]) in every row"))
                continue
            }
            if let (index, correlation) = data.outcomes.enumerated().map({
                ($0, abs(Self.correlation(column, $1, data)))
            })
            .max(by: { $0.1 < $1.1 }), correlation > 0.95 {
                found.append(
                    Suspect(
                        feature: name,
                        why:
                            "correlates \(String(format: "%.2f", correlation)) with the outcome \(data.plan.outcomes[index])"
                    ))
                continue
            }
            if let index = Self.impliedOutcome(column, data) {
                found.append(
                    Suspect(
                        feature: name,
                        why:
                            "is neither 0 nor missing only in rows where \(data.plan.outcomes[index]) is 1, so it seems to follow from it"
                    ))
                continue
            }
            guard !data.arms.isEmpty else { continue }
            if let arm = Self.onlyArm(column, data) {
                found.append(
                    Suspect(
                        feature: name,
                        why:
                            "is not 0 only in rows of arm '\(data.plan.arms?[arm] ?? "")', so it seems to follow from it"
                    ))
                continue
            }
            let (z, deviations) = Self.armDifference(column, data)
            // Outside a trial arms may differ much in what led to them; only what all but names the arm is suspect.
            let isSuspect = isRandomised ? z > 6 : deviations > mostDeviations
            if isSuspect {
                let why =
                    isRandomised
                    ? "(z = \(String(format: "%.0f", z))); in a randomised trial nothing before the treatment does"
                    : "by \(String(format: "%.1f", deviations)) standard deviations; hardly anything before the treatment does"
                found.append(Suspect(feature: name, why: "tells the arms apart \(why)"))
            }
        }
        return found
    }

    private static func correlation(_ a: BinnedColumn, _ b: FloatColumn, _ data: TrainingData) -> Double {
        var (n, sa, sb, saa, sbb, sab) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        for row in 0..<data.count where !a[row].isNaN {
            let (x, y) = (Double(a[row]), Double(b[row]))
            n += 1
            sa += x
            sb += y
            saa += x * x
            sbb += y * y
            sab += x * y
        }
        let (va, vb) = (saa - sa * sa / n, sbb - sb * sb / n)
        return va > 0 && vb > 0 ? (sab - sa * sb / n) / (va * vb).squareRoot() : 0
    }

    /// A binary outcome that is 1 wherever the feature is not 0, though it is mostly 0: spend implies a visit.
    private static func impliedOutcome(_ column: BinnedColumn, _ data: TrainingData) -> Int? {
        var nonzero: [Int] = []
        for row in 0..<data.count where column[row] != 0 && !column[row].isNaN { nonzero.append(row) }
        guard nonzero.count >= 20, nonzero.count < data.count / 2 else { return nil }
        return data.outcomes.indices.first { index in
            let outcome = data.outcomes[index]
            guard outcome.buffer.contains(0), outcome.buffer.allSatisfy({ $0 == 0 || $0 == 1 }) else { return false }
            let share = Double(outcome.buffer.count { $0 == 1 }) / Double(data.count)
            return share < 0.8 && nonzero.allSatisfy { outcome[$0] == 1 }
        }
    }

    /// The only arm in which a feature is ever not 0, though others would have had ten such rows by its share.
    private static func onlyArm(_ column: BinnedColumn, _ data: TrainingData) -> Int? {
        var (rows, used) = ([Int](repeating: 0, count: data.armCount), [Int](repeating: 0, count: data.armCount))
        for row in 0..<data.count where !column[row].isNaN {
            rows[Int(data.arms[row])] += 1
            if column[row] != 0 { used[Int(data.arms[row])] += 1 }
        }
        let arms = used.indices.filter { used[$0] > 0 }
        guard arms.count == 1, let arm = arms.first, used[arm] >= 20 else { return nil }
        let others = rows.reduce(0, +) - rows[arm]
        return used[arm] * others >= 10 * rows[arm] ? arm : nil
    }

    /// Means of two arms that are so many standard deviations apart leave no overlap to speak of.
    private static let mostDeviations = 2.0

    /// The greatest difference between an arm's mean and the control's: |z|, and in standard deviations.
    private static func armDifference(
        _ column: BinnedColumn, _ data: TrainingData
    ) -> (z: Double, deviations: Double) {
        var (n, s, q) = (
            [Double](repeating: 0, count: data.armCount), [Double](repeating: 0, count: data.armCount),
            [Double](repeating: 0, count: data.armCount)
        )
        for row in 0..<data.count where !column[row].isNaN {
            let (arm, x) = (Int(data.arms[row]), Double(column[row]))
            n[arm] += 1
            s[arm] += x
            q[arm] += x * x
        }
        func variance(_ arm: Int) -> Double { max(0, q[arm] / n[arm] - s[arm] / n[arm] * s[arm] / n[arm]) }
        var greatest = (z: 0.0, deviations: 0.0)
        for arm in 1..<data.armCount where n[arm] > 1 && n[0] > 1 {
            let difference = abs(s[arm] / n[arm] - s[0] / n[0])
            let (own, control) = (variance(arm), variance(0))
            guard own + control > 0 else {
                if difference > 0 { greatest = (.infinity, .infinity) }
                continue
            }
            greatest.z = max(greatest.z, difference / (own / n[arm] + control / n[0]).squareRoot())
            greatest.deviations = max(greatest.deviations, difference / ((own + control) / 2).squareRoot())
        }
        return greatest
    }
}
