/// How to draw bootstrap replicates.
package struct Bootstrap: Sendable, Equatable {
    /// How many; 0 draws none.
    package var replicates: Int
    package var seed: UInt64
    /// The confidence level of intervals, strictly between 0 and 1.
    package var level: Double

    package init(replicates: Int = 200, seed: UInt64 = 1, level: Double = 0.95) {
        self.replicates = replicates
        self.seed = seed
        self.level = level
    }

    /// The spread of one number over the replicates.
    package struct Spread: Sendable, Equatable {
        /// The standard deviation over replicates.
        package let standardError: Double
        /// Percentile interval.
        package let interval: Interval
        /// The share of replicates above 0: near 1 says that the ranking beats chance.
        package let aboveZero: Double
        /// How many replicates had a value.
        package let replicates: Int

        package init?(_ values: [Double], level: Double) {
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
}
