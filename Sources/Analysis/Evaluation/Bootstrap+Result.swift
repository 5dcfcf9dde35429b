import Statistics

extension Bootstrap {
    /// What the replicates say. Nil where fewer than two replicates had a value.
    package struct Result: Sendable, Equatable {
        package let qini: Spread?
        /// Against a perfect curve without harm; replicates in which the treatment does harm on the whole have no value.
        package let qiniWithoutHarm: Spread?
        package let upliftAUC: Spread?
        /// Shares of the population, 0 ... 1, at which the bands stand.
        package let grid: [Double]
        /// Pointwise intervals of the Qini curve's height, in outcomes of the whole trial.
        package let qiniBand: [Interval]
        /// The same of the uplift curve (cumulative gain).
        package let upliftBand: [Interval]
    }
}
