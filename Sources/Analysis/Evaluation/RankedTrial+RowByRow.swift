import Statistics

/// causalml 0.18's scores, for comparison with reports made by it.
///
/// causalml reads its curves at every row instead of at every distinct score, divides them by the size of their last
/// height and takes the plain mean of the points. Its order of ties is that of an unstable sort, so its numbers can be
/// met exactly only where no two scores are equal; with ties these take the rows of a tie in input order.
extension RankedTrial {
    /// `auuc_score(normalize=True)`; nil with weights, or when the total effect is 0.
    package var causalmlAUUC: Double? {
        guard let values = rowByRow({ $0.treatedWeight > 0 && $0.controlWeight > 0 ? $0.gain / $0.weight : nil })
        else { return nil }
        let gains = values.enumerated().map { $1 * Double($0) }
        guard let last = gains.last, last != 0 else { return nil }
        return PairwiseSum.sum(gains.count, gains.map { $0 / abs(last) }) / Double(gains.count)
    }

    /// `qini_score(normalize=True)`; nil with weights, or when the Qini curve ends at 0.
    package var causalmlQini: Double? {
        guard
            let values = rowByRow({
                $0.controlWeight > 0
                    ? $0.treatedOutcome - $0.controlOutcome * $0.treatedWeight / $0.controlWeight : nil
            }), let last = values.last, last != 0
        else { return nil }
        let end = last / abs(last)
        let random = PairwiseSum.sum(
            values.count, values.indices.map { end * Double($0) / Double(values.count - 1) })
        return (PairwiseSum.sum(values.count, values.map { $0 / abs(last) }) - random) / Double(values.count)
    }

    /// A curve at 0, 1, … n rows; undefined points (before both arms are met) on the line from the origin.
    private func rowByRow(_ height: (Tally) -> Double?) -> [Double]? {
        guard trial.weight == nil else { return nil }
        var values = [0.0]
        values.reserveCapacity(ranking.count + 1)
        var tally = Tally()
        var undefined = 0
        var start = 0
        while start < ranking.count {
            var end = start + 1
            while !ranking.rows[end - 1].isLastOfTie { end += 1 }
            for rank in (start..<end).reversed() {  // a tie's rows stand in reverse input order
                let item = ranking.rows[rank]
                tally.add(treated: item.isTreated, weight: 1, outcome: trial.outcome[item.row])
                if let value = height(tally) {
                    for missing in 0..<undefined {
                        values.append(value * Double(missing + 1) / Double(undefined + 1))
                    }
                    undefined = 0
                    values.append(value)
                } else {
                    undefined += 1
                }
            }
            start = end
        }
        return values
    }
}
