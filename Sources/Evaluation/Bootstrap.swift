/// How to draw bootstrap replicates.
public struct Bootstrap: Sendable, Equatable {
    /// How many; 0 draws none.
    public var replicates: Int
    public var seed: UInt64
    /// The confidence level of intervals, strictly between 0 and 1.
    public var level: Double

    public init(replicates: Int = 200, seed: UInt64 = 1, level: Double = 0.95) {
        self.replicates = replicates
        self.seed = seed
        self.level = level
    }

    /// The spread of one number over the replicates.
    public struct Spread: Sendable, Equatable {
        /// The standard deviation over replicates.
        public let standardError: Double
        /// Percentile interval.
        public let interval: Interval
        /// The share of replicates above 0: near 1 says that the ranking beats chance.
        public let aboveZero: Double
        /// How many replicates had a value.
        public let replicates: Int

        init?(_ values: [Double], level: Double) {
            guard values.count > 1 else { return nil }
            let sorted = values.sorted()
            let mean = sorted.reduce(0, +) / Double(sorted.count)
            let squares = sorted.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            standardError = (squares / Double(sorted.count - 1)).squareRoot()
            interval = Interval(
                lower: Spread.quantile(sorted, (1 - level) / 2), upper: Spread.quantile(sorted, (1 + level) / 2))
            aboveZero = Double(sorted.count { $0 > 0 }) / Double(sorted.count)
            replicates = sorted.count
        }

        /// Linear between order statistics (numpy's default).
        static func quantile(_ sorted: [Double], _ p: Double) -> Double {
            let place = p * Double(sorted.count - 1)
            let index = min(Int(place), sorted.count - 2)
            return sorted[index] + (place - Double(index)) * (sorted[index + 1] - sorted[index])
        }
    }

    /// What the replicates say. Nil where fewer than two replicates had a value.
    public struct Result: Sendable, Equatable {
        public let qini: Spread?
        /// Against a perfect curve without harm; replicates in which the treatment does harm on the whole have no value.
        public let qiniWithoutHarm: Spread?
        public let upliftAUC: Spread?
        /// Shares of the population, 0 ... 1, at which the bands stand.
        public let grid: [Double]
        /// Pointwise intervals of the Qini curve's height, in outcomes of the whole trial.
        public let qiniBand: [Interval]
        /// The same of the uplift curve (cumulative gain).
        public let upliftBand: [Interval]
    }
}
