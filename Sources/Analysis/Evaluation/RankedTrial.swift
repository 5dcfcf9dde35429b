import Base

/// A trial in the order of its scores: sorted once, read by every metric.
///
/// Ties: equal scores share one point of a curve; metrics that must cut through a tie take its rows in reverse input
/// order, as scikit-uplift does. All results are the same for any number of threads.
package final class RankedTrial: Sendable {
    package let trial: Trial
    let ranking: Ranking
    let threads: Int
    private let totals: ChunkTotals
    /// All rows together.
    var total: Tally { totals.all }

    /// Sorts the rows, O(n). `threads` 0 takes one per processor.
    package init(_ trial: Trial, threads: Int = 0) {
        self.trial = trial
        self.threads = threads > 0 ? threads : Parallel.processors
        ranking = Ranking(trial, by: trial.score, threads: self.threads)
        totals = ChunkTotals(trial, ranking, threads: self.threads)
    }

    /// The Qini curve and the uplift curve, one point for each distinct score and the origin.
    package func curves() -> (qini: Curve, uplift: Curve) {
        let points = RankedTrial.points(trial, ranking, totals, threads, qini: true, uplift: true)
        return (
            Curve(population: points.population, value: points.qini),
            Curve(population: points.population, value: points.uplift)
        )
    }

    package func qiniCurve() -> Curve {
        let points = RankedTrial.points(trial, ranking, totals, threads, qini: true, uplift: false)
        return Curve(population: points.population, value: points.qini)
    }

    /// The uplift curve, also called the cumulative gain.
    package func upliftCurve() -> Curve {
        let points = RankedTrial.points(trial, ranking, totals, threads, qini: false, uplift: true)
        return Curve(population: points.population, value: points.uplift)
    }

    /// The indices of the rows, best first.
    package var order: [Int] { (0..<ranking.count).map { ranking.rows[$0].row } }
}
