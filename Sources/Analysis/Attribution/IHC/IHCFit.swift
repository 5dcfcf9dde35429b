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
    /// Curves over time, and curves over the position where they make journeys that were not used for the fit come out better by
    /// a tenth at least.
    ///
    /// - Throws: `ihc_results` when there is no journey of several sessions to learn from.
    package static func fit(_ answers: [IHCAnswer]) throws(ImpactError) -> IHCParameters {
        let overTime = try fit(answers, overPosition: false)
        let overBoth = try fit(answers, overPosition: true)
        guard overBoth.positions != .flat,
            let flat = try? crossValidate(answers, folds: 5, overPosition: false).meanError,
            let curved = try? crossValidate(answers, folds: 5, overPosition: true).meanError, curved < 0.9 * flat
        else { return overTime }
        return overBoth
    }

    /// Fits the curves over time to what those over the position leave, and these to what the former leave, in turn.
    static func fit(_ answers: [IHCAnswer], overPosition: Bool) throws(ImpactError) -> IHCParameters {
        var parameters = try fit(answers, positions: .flat)
        guard overPosition else { return parameters }
        for _ in 0..<6 {
            let positions = positions(answers, parameters)
            parameters = try fit(answers, positions: positions)
        }
        return parameters
    }

    private static func fit(
        _ answers: [IHCAnswer], positions: IHCParameters.Positions
    ) throws(ImpactError) -> IHCParameters {
        var gaps: [(hours: Double, value: Double)] = []
        var closers: [(hours: Double, value: Double)] = []
        var restarts: [Double] = []
        for answer in answers where answer.touches.count > 1 {
            let begin = answer.begin
            let count = answer.touches.count
            func hours(_ a: Int, _ b: Int) -> Double {
                Double(answer.touches[b].time - answer.touches[a].time) / 3_600_000
            }
            /// What a phase has without the share of the position.
            func straight(_ phase: Double, _ index: Int, _ curve: IHCCurve?) -> Double? {
                let share = curve?.at(IHCModel.position(index, count, from: begin)) ?? 1
                return share > 0.01 ? phase / share : nil
            }
            if begin > 0 { restarts.append(hours(begin - 1, begin)) }
            let end = count - 1
            if let first = straight(answer.phases[begin].initializer, begin, positions.initializer), first > 0 {
                for index in (begin + 1)..<max(count, begin + 1) {
                    guard let phase = straight(answer.phases[index].initializer, index, positions.initializer) else {
                        continue
                    }
                    gaps.append((hours(index - 1, index), min(1, phase / first)))
                }
            }
            guard let last = straight(answer.phases[end].closer, end, positions.closer), last > 0 else { continue }
            for index in begin..<end where answer.touches[index].flags.contains(.closerEngagement) {
                guard let phase = straight(answer.phases[index].closer, index, positions.closer) else { continue }
                closers.append((hours(index, end), min(1, phase / last)))
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
            holderWeight: weights.1, closerWeight: weights.2, positions: positions)
    }

    /// Curves over the position: at a few places the geometric mean of how much more of a phase sessions have than curves over
    /// time alone give them, each journey by itself, as phases are scaled.
    private static func positions(
        _ answers: [IHCAnswer], _ parameters: IHCParameters
    ) -> IHCParameters.Positions {
        var flat = parameters
        flat.positions = .flat
        let model = IHCModel(flat)
        let phases: [(IHCModel.Phases) -> Double] = [{ $0.initializer }, { $0.holder }, { $0.closer }]
        var sums = [[(log: Double, count: Double)]](repeating: .init(repeating: (0, 0), count: places.count), count: 3)
        for answer in answers where answer.touches.count - answer.begin > 2 {
            let expected = model.phases(of: answer.touches).map(\.0)
            let (begin, count) = (answer.begin, answer.touches.count)
            for (number, phase) in phases.enumerated() {
                let known = (begin..<count).filter {
                    phase(expected[$0]) > 1e-3 && phase(answer.phases[$0]) > 1e-4
                }
                guard known.count > 1 else { continue }
                let ratios = known.map { log(phase(answer.phases[$0]) / phase(expected[$0])) }
                // What the journey shares is its scale. The curve found before says what its own sessions leave of it.
                let before = known.map {
                    current(parameters.positions, number, IHCModel.position($0, count, from: begin))
                }
                let scale = zip(ratios, before).reduce(0) { $0 + $1.0 - $1.1 } / Double(known.count)
                for (index, ratio) in zip(known, ratios) {
                    let at = IHCModel.position(index, count, from: begin) * Double(places.count - 1)
                    let low = min(Int(at), places.count - 2)
                    let share = at - Double(low)
                    for (place, weight) in [(low, 1 - share), (low + 1, share)] where weight > 0 {
                        sums[number][place].log += weight * (ratio - scale)
                        sums[number][place].count += weight
                    }
                }
            }
        }
        let curves = sums.map { sums -> IHCCurve? in
            guard sums.allSatisfy({ $0.count >= 20 }) else { return nil }
            let values = sums.map { exp($0.log / $0.count) }
            let most = values.max() ?? 1
            let scaled = values.map { $0 / most }
            return scaled.allSatisfy { $0 > 0.98 } ? nil : IHCCurve(hours: places, values: scaled)
        }
        return .init(initializer: curves[0], holder: curves[1], closer: curves[2])
    }

    private static let places = [0, 0.25, 0.5, 0.75, 1]

    private static func current(_ positions: IHCParameters.Positions, _ phase: Int, _ position: Double) -> Double {
        let curve = [positions.initializer, positions.holder, positions.closer][phase]
        return curve.map { log(max(1e-3, $0.at(position))) } ?? 0
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
    ///
    /// - Parameter overPosition: whether there are curves over the position; nil when the other journeys decide.
    package static func crossValidate(
        _ answers: [IHCAnswer], folds: Int = 10, overPosition: Bool? = nil
    ) throws(ImpactError) -> IHCFitQuality {
        var errors: [Double] = []
        var equal = 0.0
        var several = 0
        for fold in 0..<folds {
            let held = answers.filter { place($0.id, folds) == fold }
            let others = answers.filter { place($0.id, folds) != fold }
            let fitted: IHCParameters
            if let overPosition {
                fitted = try fit(others, overPosition: overPosition)
            } else {
                fitted = try fit(others)
            }
            let model = IHCModel(fitted)
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
