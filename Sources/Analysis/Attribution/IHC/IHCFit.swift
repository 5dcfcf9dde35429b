import Base
import Foundation
import JSON
import Statistics

/// A journey with an IHC API's answer.
package struct IHCAnswer: Sendable {
    package var id: String
    package var touches: [Touch]
    package var phases: [IHCModel.Phases]
    package var credit: [Double]

    package init(id: String, touches: [Touch], phases: [IHCModel.Phases], credit: [Double]) {
        self.id = id
        self.touches = touches
        self.phases = phases
        self.credit = credit
    }

    /// The first session that any phase counts: those before it came before a new start.
    var begin: Int { phases.firstIndex { $0.initializer + $0.holder + $0.closer > 0 } ?? 0 }
}

/// How well fitted curves reproduce the answers of journeys that were not used for the fit.
package struct IHCFitQuality: Sendable, Equatable {
    package var journeys: Int
    /// Journeys of several sessions: the others are 1 in any model.
    package var severalSessions: Int
    package var folds: Int
    /// Mean absolute error of a session's credit, its 95th percentile and its largest, journeys of several sessions.
    package var meanError: Double
    package var percentile95: Double
    package var largest: Double
    /// The mean error of an equal split of the same journeys.
    package var equalSplit: Double

    package var json: JSONValue {
        .object([
            .init("journeys", .number(Double(journeys))), .init("several_sessions", .number(Double(severalSessions))),
            .init("folds", .number(Double(folds))), .init("held_out_mean_absolute_error", .number(meanError)),
            .init("held_out_percentile_95", .number(percentile95)), .init("held_out_largest", .number(largest)),
            .init("equal_split_mean_absolute_error", .number(equalSplit)),
        ])
    }
}

/// Fits IHC curves to answers.
package enum IHCFit {
    /// - Throws: `ihc_results` when there is no journey of several sessions to learn from.
    package static func fit(_ answers: [IHCAnswer]) throws(ImpactError) -> IHCParameters {
        var gaps: [(hours: Double, value: Double)] = []
        var closers: [(hours: Double, value: Double)] = []
        var restarts: [Double] = []
        for answer in answers where answer.touches.count > 1 {
            let begin = answer.begin
            func hours(_ a: Int, _ b: Int) -> Double {
                Double(answer.touches[b].time - answer.touches[a].time) / 3_600_000
            }
            if begin > 0 { restarts.append(hours(begin - 1, begin)) }
            let end = answer.touches.count - 1
            let first = answer.phases[begin].initializer
            if first > 0 {
                for index in (begin + 1)..<max(answer.touches.count, begin + 1) {
                    gaps.append((hours(index - 1, index), min(1, answer.phases[index].initializer / first)))
                }
            }
            let last = answer.phases[end].closer
            for index in begin..<end where last > 0 && answer.touches[index].flags.contains(.closerEngagement) {
                closers.append((hours(index, end), min(1, answer.phases[index].closer / last)))
            }
        }
        guard gaps.count >= 2 else {
            throw ImpactError(
                .badInput, code: "ihc_results",
                "the results have no journeys of several sessions with phases: there is nothing to fit curves to")
        }
        var initializer = IHCCurve.isotonic(gaps, rising: true)
        let restart = restartHours(gaps.map(\.hours), restarts, initializer)
        if restart.isFinite, let last = initializer.hours.last, last < restart {
            initializer = IHCCurve(hours: initializer.hours + [restart], values: initializer.values + [1])
        }
        // At the conversion itself a closer is as good as the last session.
        let closer = IHCCurve.isotonic(closers + [(0, 1)], rising: false)
        let weights = phaseWeights(answers)
        return IHCParameters(
            initializer: initializer, closer: closer, restartHours: restart, initializerWeight: weights.0,
            holderWeight: weights.1, closerWeight: weights.2)
    }

    /// The gap from which on a journey starts anew: where the curve reaches 1, between the longest gap that was none and
    /// the shortest that was one.
    private static func restartHours(_ gaps: [Double], _ restarts: [Double], _ curve: IHCCurve) -> Double {
        guard !restarts.isEmpty else { return .infinity }
        // The bound with the fewest gaps on the wrong side, should they overlap.
        let candidates = restarts.sorted()
        let best = candidates.min { a, b in errors(a, gaps, restarts) < errors(b, gaps, restarts) } ?? candidates[0]
        let longest = gaps.filter { $0 < best }.max() ?? 0
        let count = curve.hours.count
        guard count > 4 else { return (longest + best) / 2 }
        let (a, b) = (max(0, count - 8), count - 1)
        let slope = (curve.values[b] - curve.values[a]) / (curve.hours[b] - curve.hours[a])
        let reached = slope > 0 ? curve.hours[b] + (1 - curve.values[b]) / slope : best
        return min(max(reached, longest.nextUp), best)
    }

    private static func errors(_ bound: Double, _ gaps: [Double], _ restarts: [Double]) -> Int {
        gaps.count { $0 >= bound } + restarts.count { $0 < bound }
    }

    /// Least squares of the credit on the phases, over journeys that have all three; adds up to 1.
    private static func phaseWeights(_ answers: [IHCAnswer]) -> (Double, Double, Double) {
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: 4), count: 3)
        for answer in answers {
            let hasHolder = answer.phases.contains { $0.holder > 0 }
            guard hasHolder, answer.phases.count > 1 else { continue }
            for (phases, credit) in zip(answer.phases, answer.credit) {
                let row = [phases.initializer, phases.holder, phases.closer, credit]
                for i in 0..<3 { for j in 0..<4 { matrix[i][j] += row[i] * row[j] } }
            }
        }
        for pivot in 0..<3 {
            guard matrix[pivot][pivot] > 1e-9 else { return (1.0 / 3, 1.0 / 3, 1.0 / 3) }
            for row in 0..<3 where row != pivot {
                let factor = matrix[row][pivot] / matrix[pivot][pivot]
                for column in 0..<4 { matrix[row][column] -= factor * matrix[pivot][column] }
            }
        }
        let raw = (0..<3).map { max(0, matrix[$0][3] / matrix[$0][$0]) }
        let sum = raw.reduce(0, +)
        guard sum > 0 else { return (1.0 / 3, 1.0 / 3, 1.0 / 3) }
        return (raw[0] / sum, raw[1] / sum, raw[2] / sum)
    }

    /// Cross-validation: each journey is predicted by curves fitted to the others.
    package static func crossValidate(_ answers: [IHCAnswer], folds: Int = 10) throws(ImpactError) -> IHCFitQuality {
        var errors: [Double] = []
        var equal = 0.0
        var several = 0
        for fold in 0..<folds {
            let held = answers.filter { place($0.id, folds) == fold }
            let model = IHCModel(try fit(answers.filter { place($0.id, folds) != fold }))
            for answer in held where answer.touches.count > 1 {
                several += 1
                for (credit, expected) in zip(model.credit(of: answer.touches), answer.credit) {
                    errors.append(abs(credit - expected))
                    equal += abs(1 / Double(answer.touches.count) - expected)
                }
            }
        }
        return quality(errors, equal, journeys: answers.count, several: several, folds: folds)
    }

    /// How well a model reproduces answers.
    package static func compare(_ model: IHCModel, _ answers: [IHCAnswer]) -> IHCFitQuality {
        var errors: [Double] = []
        var equal = 0.0
        var several = 0
        for answer in answers where answer.touches.count > 1 {
            several += 1
            for (credit, expected) in zip(model.credit(of: answer.touches), answer.credit) {
                errors.append(abs(credit - expected))
                equal += abs(1 / Double(answer.touches.count) - expected)
            }
        }
        return quality(errors, equal, journeys: answers.count, several: several, folds: 0)
    }

    private static func quality(
        _ errors: [Double], _ equal: Double, journeys: Int, several: Int, folds: Int
    ) -> IHCFitQuality {
        let sorted = errors.sorted()
        let count = Double(max(sorted.count, 1))
        let rank = max(0, Int((0.95 * Double(sorted.count)).rounded(.up)) - 1)
        return IHCFitQuality(
            journeys: journeys, severalSessions: several, folds: folds,
            meanError: sorted.reduce(0, +) / count, percentile95: sorted.isEmpty ? 0 : sorted[rank],
            largest: sorted.last ?? 0, equalSplit: equal / count)
    }

    /// The fold of a journey: by its id, so that it does not depend on the order of the file.
    private static func place(_ id: String, _ folds: Int) -> Int {
        let hash = id.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return Int((hash >> 16) % UInt64(folds))
    }
}

extension IHCModel {
    /// The credit of each session; adds up to 1.
    package func credit(of touches: [Touch]) -> [Double] {
        var weights: [Double] = []
        self.weights(of: touches, conversion: touches.last?.time ?? 0, into: &weights)
        var units: [Int64] = []
        Credit.divide(weights, into: &units)
        return units.map(Credit.value)
    }
}
