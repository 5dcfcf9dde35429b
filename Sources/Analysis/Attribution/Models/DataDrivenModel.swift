import Base
import Foundation
import Statistics

/// A conversion model over journeys, and what each session adds to its prediction.
///
/// Logistic regression on two features a channel: whether the journey has it, and how fresh its sessions are (half-lives
/// before the journey's end). A session's weight is how much the predicted chance falls when the session is taken out
/// (as in Shao and Li 2011). Needs journeys that did not convert.
package final class DataDrivenFitter: ModelFitter {
    /// Journeys that are kept for the fit: those with the smallest hashes, whatever the order of the input.
    package static let sample = 200_000
    private let halfLife: Double
    private var rows: [Row] = []
    private var bound = UInt64.max
    private var seen = 0
    private var conversions = 0.0

    struct Row {
        var hash: UInt64
        var features: [(index: Int32, value: Double)]
        var outcome: Double
        var weight: Double
    }

    package init(halfLife: Double) { self.halfLife = halfLife }

    package func add(_ touches: [Touch], conversion: Int64?, conversions: Double, nulls: Double) {
        guard !touches.isEmpty else { return }
        self.conversions += conversions
        seen += 1
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for touch in touches {
            for byte in touch.session.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ UInt64(bitPattern: touch.time) ^ UInt64(touch.channel) << 48) &* 0x100_0000_01B3
        }
        hash = (hash ^ hash >> 29) &* 0xBF58_476D_1CE4_E5B9
        guard hash <= bound else { return }
        let features = DataDrivenModel.features(touches, halfLife: halfLife)
        if conversions > 0 { rows.append(Row(hash: hash, features: features, outcome: 1, weight: conversions)) }
        if nulls > 0 { rows.append(Row(hash: hash, features: features, outcome: 0, weight: nulls)) }
        if rows.count >= 2 * Self.sample { shrink() }
    }

    private func shrink() {
        rows.sort { ($0.hash, $0.outcome) < ($1.hash, $1.outcome) }
        if rows.count > Self.sample {
            rows.removeLast(rows.count - Self.sample)
            bound = rows.last?.hash ?? .max
        }
    }

    package func finish(channels: Int) -> any FittedModel {
        shrink()
        let lost = rows.contains { $0.outcome == 0 }
        let won = rows.contains { $0.outcome == 1 }
        var remarks: [String] = []
        guard lost, won else {
            return DataDrivenModel(
                intercept: 0, coefficients: [Double](repeating: 0, count: 2 * channels), halfLife: halfLife,
                remarks: [
                    "the data-driven model needs journeys with and without a conversion; there are none "
                        + (lost ? "with" : "without") + " one, so every session counts the same"
                ])
        }
        if seen > Self.sample {
            remarks.append("the data-driven model is fitted to a sample of \(Self.sample) of \(seen) paths")
        }
        let solution = LogisticFit.fit(rows, features: 2 * channels)
        return DataDrivenModel(
            intercept: solution.intercept, coefficients: solution.coefficients, halfLife: halfLife, remarks: remarks)
    }
}

/// Ridge-penalised logistic regression by Newton's method.
enum LogisticFit {
    static func fit(_ rows: [DataDrivenFitter.Row], features: Int) -> (intercept: Double, coefficients: [Double]) {
        let size = features + 1
        var beta = [Double](repeating: 0, count: size)
        let ridge = 1.0
        for _ in 0..<25 {
            var gradient = [Double](repeating: 0, count: size)
            var hessian = [Double](repeating: 0, count: size * size)
            for row in rows {
                var score = beta[features]
                for (index, value) in row.features { score += beta[Int(index)] * value }
                let chance = 1 / (1 + exp(-score))
                let residual = row.weight * (row.outcome - chance)
                let curvature = row.weight * max(chance * (1 - chance), 1e-9)
                gradient[features] += residual
                hessian[features * size + features] += curvature
                for (i, x) in row.features {
                    gradient[Int(i)] += residual * x
                    hessian[Int(i) * size + features] += curvature * x
                    hessian[features * size + Int(i)] += curvature * x
                    for (j, y) in row.features { hessian[Int(i) * size + Int(j)] += curvature * x * y }
                }
            }
            for index in 0..<features {
                gradient[index] -= ridge * beta[index]
                hessian[index * size + index] += ridge
            }
            guard let step = solve(hessian, gradient) else { break }
            // A step that would leap is halved until it does not.
            let longest = step.reduce(0) { max($0, abs($1)) }
            let scale = longest > 4 ? 4 / longest : 1
            for index in 0..<size { beta[index] += scale * step[index] }
            if longest < 1e-9 { break }
        }
        return (beta[features], Array(beta[..<features]))
    }

    /// Solves a symmetric positive definite system (Cholesky); nil when it is not.
    private static func solve(_ matrix: [Double], _ right: [Double]) -> [Double]? {
        let n = right.count
        var l = matrix
        var x = right
        for j in 0..<n {
            for k in 0..<j { l[j * n + j] -= l[j * n + k] * l[j * n + k] }
            guard l[j * n + j] > 0 else { return nil }
            l[j * n + j] = l[j * n + j].squareRoot()
            for i in (j + 1)..<max(n, j + 1) {
                for k in 0..<j { l[i * n + j] -= l[i * n + k] * l[j * n + k] }
                l[i * n + j] /= l[j * n + j]
            }
        }
        for i in 0..<n {
            for k in 0..<i { x[i] -= l[i * n + k] * x[k] }
            x[i] /= l[i * n + i]
        }
        for i in stride(from: n - 1, through: 0, by: -1) {
            for k in (i + 1)..<max(n, i + 1) { x[i] -= l[k * n + i] * x[k] }
            x[i] /= l[i * n + i]
        }
        return x
    }
}

/// The fitted conversion model.
package struct DataDrivenModel: FittedModel {
    package let intercept: Double
    /// Presence and freshness of each channel, in turn.
    package let coefficients: [Double]
    let halfLife: Double
    package let remarks: [String]
    package var channelTotals: [Double]? { nil }

    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        let score = score(Self.features(touches, halfLife: halfLife))
        let end = touches.last?.time ?? 0
        var counts: [Int32: Int] = [:]
        for touch in touches { counts[touch.channel, default: 0] += 1 }
        weights.removeAll(keepingCapacity: true)
        for touch in touches {
            // What the session adds to the score: its freshness, and its channel's presence where it is the only one of it.
            var part = coefficients[2 * Int(touch.channel) + 1] * exp2(-Double(end - touch.time) / halfLife)
            if counts[touch.channel] == 1 { part += coefficients[2 * Int(touch.channel)] }
            let without = touches.count == 1 ? 0 : Self.chance(score - part)
            weights.append(max(0, Self.chance(score) - without))
        }
    }

    /// The predicted chance that a journey converts.
    package func chance(of touches: [Touch]) -> Double {
        Self.chance(score(Self.features(touches, halfLife: halfLife)))
    }

    private func score(_ features: [(index: Int32, value: Double)]) -> Double {
        var score = intercept
        for (index, value) in features { score += coefficients[Int(index)] * value }
        return score
    }

    private static func chance(_ score: Double) -> Double { 1 / (1 + exp(-score)) }

    static func features(_ touches: [Touch], halfLife: Double) -> [(index: Int32, value: Double)] {
        let end = touches.last?.time ?? 0
        var features: [(index: Int32, value: Double)] = []
        for touch in touches {
            let fresh = exp2(-Double(end - touch.time) / halfLife)
            if let place = features.firstIndex(where: { $0.index == 2 * touch.channel }) {
                features[place + 1].value += fresh
            } else {
                features.append((2 * touch.channel, 1))
                features.append((2 * touch.channel + 1, fresh))
            }
        }
        return features
    }
}
