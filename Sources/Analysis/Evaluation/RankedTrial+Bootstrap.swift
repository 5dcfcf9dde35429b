import Base
import Statistics

/// Bootstrap replicates of the curves and their areas.
///
/// A replicate draws every row, or every cluster with all its rows, Poisson(1) times (frequency weights: Poisson(weight)) and keeps the model's scores, so the
/// intervals say how the numbers would vary over trials of this size, for this model. The order of the rows is the same
/// in every replicate; nothing is sorted again.
extension RankedTrial {
    private static let gridSteps = 50
    /// Replicates read at most about this many points of a curve; the area's error is far below its spread.
    private static let pointLimit = 1 << 17

    /// Draws the replicates; the result is a function of the trial and `bootstrap` alone, whatever the threads.
    package func bootstrap(_ bootstrap: Bootstrap, meaning: WeightMeaning = .sampling) -> Bootstrap.Result {
        let steps = Self.gridSteps
        let width = Self.replicateWidth
        let table = replicates(bootstrap, meaning)
        func column(_ index: Int) -> [Double] {
            (0..<bootstrap.replicates).map { table[$0 * width + index] }.filter(\.isFinite)
        }
        func band(_ first: Int) -> [Interval] {
            (0...steps).compactMap { Bootstrap.Spread(column(first + $0), level: bootstrap.level)?.interval }
        }
        return Bootstrap.Result(
            qini: Bootstrap.Spread(column(0), level: bootstrap.level),
            qiniWithoutHarm: Bootstrap.Spread(column(2), level: bootstrap.level),
            upliftAUC: Bootstrap.Spread(column(1), level: bootstrap.level),
            grid: (0...steps).map { Double($0) / Double(steps) }, qiniBand: band(3), upliftBand: band(4 + steps))
    }

    /// Qini and AUUC of each replicate, NaN where not defined: two rankings of the same rows have the same replicates.
    func areaReplicates(_ bootstrap: Bootstrap, meaning: WeightMeaning) -> (qini: [Double], upliftAUC: [Double]) {
        let table = replicates(bootstrap, meaning)
        let width = Self.replicateWidth
        return (
            (0..<bootstrap.replicates).map { table[$0 * width] },
            (0..<bootstrap.replicates).map { table[$0 * width + 1] }
        )
    }

    private static var replicateWidth: Int { 3 + 2 * (gridSteps + 1) }

    /// Qini, AUUC, Qini without harm and both curves on the grid, replicate by replicate.
    private func replicates(_ bootstrap: Bootstrap, _ meaning: WeightMeaning) -> [Double] {
        let width = Self.replicateWidth
        var table = [Double](repeating: .nan, count: max(0, bootstrap.replicates) * width)
        let perfect = trial.hasBinaryOutcome ? nil : Ranking(trial, by: trial.perfectScore, threads: threads)
        table.withUnsafeMutableBufferPointer { table in
            guard let table = table.baseAddress else { return }
            Parallel.forEach(bootstrap.replicates, threads: threads) { replicate in
                let weights = ReplicateWeights(seed: bootstrap.seed, replicate: replicate)
                fill(table + replicate * width, weights, perfect, meaning)
            }
        }
        return table
    }

    /// Writes Qini, AUUC and both curves on the grid for one replicate; leaves NaN where a value is not defined.
    private func fill(
        _ values: UnsafeMutablePointer<Double>, _ weights: ReplicateWeights, _ perfect: Ranking?,
        _ meaning: WeightMeaning
    ) {
        var whole = Tally()
        for row in 0..<trial.count {
            let drawn = weight(row, weights, meaning)
            guard drawn > 0 else { continue }
            whole.add(treated: trial.treatment[row] == 1, weight: drawn, outcome: trial.outcome[row])
        }
        guard whole.treatedWeight > 0 && whole.controlWeight > 0 else { return }
        let scale = total.weight / whole.weight
        let qini = values + 3
        let gain = values + 4 + Self.gridSteps
        let areas = walk(ranking, weights, meaning, whole) { step, q, g in
            qini[step] = q * scale
            gain[step] = g * scale
        }
        let random = (qini: whole.weight * whole.qini / 2, gain: whole.weight * whole.gain / 2)
        let best: (qini: Double, gain: Double)
        if let perfect {
            best = walk(perfect, weights, meaning, whole) { _, _, _ in }
        } else {
            let counts = PerfectCounts(whole)
            best = (counts.qiniCurve.area(), counts.upliftCurve.area())
        }
        let spans = (qini: best.qini - random.qini, gain: best.gain - random.gain)
        if spans.qini != 0 { values[0] = (areas.qini - random.qini) / spans.qini }
        let effect = whole.qini
        let harmless = effect * effect / 2 + (whole.weight - effect) * effect - random.qini
        if effect >= 0 && harmless != 0 { values[2] = (areas.qini - random.qini) / harmless }
        if spans.gain != 0 { values[1] = (areas.gain - random.gain) / spans.gain }
    }

    @inline(__always)
    private func weight(_ row: Int, _ weights: ReplicateWeights, _ meaning: WeightMeaning) -> Double {
        let unit = trial.clusters.map { Int($0.code[row]) } ?? row
        guard let weight = trial.weight else { return Double(weights.count(unit)) }
        return meaning == .frequency && trial.clusters == nil
            ? weights.count(row, weight: weight[row]) : weight[row] * Double(weights.count(unit))
    }

    /// Areas under the replicate's curves, and their heights at each step of the grid.
    private func walk(
        _ ranking: Ranking, _ weights: ReplicateWeights, _ meaning: WeightMeaning, _ whole: Tally,
        _ visit: (_ step: Int, _ qini: Double, _ gain: Double) -> Void
    ) -> (qini: Double, gain: Double) {
        var areas = (qini: 0.0, gain: 0.0)
        var last = (x: 0.0, qini: 0.0, gain: 0.0)
        visit(0, 0, 0)
        var step = 1
        let gridStep = whole.weight / Double(Self.gridSteps)
        let stride = max(1, ranking.count / Self.pointLimit)
        var nextPoint = 0
        var tally = Tally()
        let plain = trial.weight == nil && trial.hasBinaryOutcome && trial.clusters == nil
        for rank in 0..<ranking.count {
            let item = ranking.rows[rank]
            if plain {
                let drawn = Double(weights.count(item.row))
                tally.add(treated: item.isTreated, weight: drawn, outcome: Double(item.response))
            } else {
                let drawn = weight(item.row, weights, meaning)
                tally.add(treated: item.isTreated, weight: drawn, outcome: trial.outcome[item.row])
            }
            let isLast = rank + 1 == ranking.count
            guard isLast || (rank >= nextPoint && item.isLastOfTie) else { continue }
            nextPoint = rank + stride
            let x = tally.weight
            guard x > last.x else { continue }
            let point = (x: x, qini: tally.qini, gain: tally.gain)
            areas.qini += (x - last.x) * (point.qini + last.qini) / 2
            areas.gain += (x - last.x) * (point.gain + last.gain) / 2
            while step <= Self.gridSteps && (isLast || gridStep * Double(step) <= x) {
                let share = min(1, (gridStep * Double(step) - last.x) / (x - last.x))
                visit(step, last.qini + share * (point.qini - last.qini), last.gain + share * (point.gain - last.gain))
                step += 1
            }
            last = point
        }
        while step <= Self.gridSteps {  // the last rows were not drawn
            visit(step, last.qini, last.gain)
            step += 1
        }
        return areas
    }
}
