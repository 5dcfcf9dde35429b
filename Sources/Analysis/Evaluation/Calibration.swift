import Base
import Statistics

/// Predicted against observed effect: whether a score of 0.03 means 3 more outcomes a hundred.
package struct Calibration: Sendable, Equatable {
    /// One bin of the ranking.
    package struct Bin: Sendable, Equatable {
        /// The mean predicted effect; nil in an empty bin.
        package let predicted: Double?
        /// The mean of the model's standard errors, when the trial has them.
        package let predictedStandardError: Double?
        package let observed: GroupEffect
    }

    /// Best predicted first.
    package let bins: [Bin]
    /// Observed effect by predicted effect, a line through the bins weighted by 1 / variance: 1 is calibrated, less than
    /// 1 says that the predictions are too far apart, about 0 that they do not order effects at all.
    package let slope: Double?
    package let slopeInterval: Interval?
    /// The line's height at a prediction of 0.
    package let intercept: Double?
    /// Mean distance of observed from predicted over bins, weighted by rows (expected calibration error).
    package let error: Double?
    /// Bins whose observed interval holds the mean prediction.
    package let covered: Int

    /// - Parameter error: of a weighted sum of the bins' effects, when bins are not independent.
    init(bins: [Bin], level: Double, hasInterval: Bool = true, error lineError: (([Double]) -> Double?)? = nil) {
        self.bins = bins
        var sums = (w: 0.0, x: 0.0, y: 0.0)
        var distance = (sum: 0.0, weight: 0.0)
        var covered = 0
        var usable: [(w: Double, x: Double, y: Double)] = []
        for bin in bins {
            guard let x = bin.predicted, let y = bin.observed.effect else { continue }
            let rows = bin.observed.treated.weight + bin.observed.control.weight
            distance.sum += rows * abs(y - x)
            distance.weight += rows
            if bin.observed.interval?.contains(x) == true { covered += 1 }
            guard let error = bin.observed.standardError, error > 0 else { continue }
            usable.append((1 / (error * error), x, y))
            sums.w += usable[usable.count - 1].w
            sums.x += usable[usable.count - 1].w * x
            sums.y += usable[usable.count - 1].w * y
        }
        self.covered = covered
        error = distance.weight > 0 ? distance.sum / distance.weight : nil
        let mean = (x: Tally.ratio(sums.x, sums.w), y: Tally.ratio(sums.y, sums.w))
        let spread = usable.reduce(0.0) { $0 + $1.w * ($1.x - mean.x) * ($1.x - mean.x) }
        guard usable.count > 1, spread > 0 else {
            slope = nil
            slopeInterval = nil
            intercept = nil
            return
        }
        let slope = usable.reduce(0.0) { $0 + $1.w * ($1.x - mean.x) * ($1.y - mean.y) } / spread
        var standardError = 1 / spread.squareRoot()
        if let lineError {
            // The slope is a sum of the effects, each times w (x - mean) / spread.
            let coefficients = bins.map { bin -> Double in
                guard let x = bin.predicted, bin.observed.effect != nil, let error = bin.observed.standardError,
                    error > 0
                else { return 0 }
                return (x - mean.x) / (error * error * spread)
            }
            standardError = lineError(coefficients) ?? standardError
        }
        let half = Normal.z(level: level) * standardError
        self.slope = slope
        slopeInterval = hasInterval ? Interval(lower: slope - half, upper: slope + half) : nil
        intercept = mean.y - slope * mean.x
    }
}

extension RankedTrial {
    /// Predicted against observed effects in `count` equal bins of the ranking.
    package func calibration(
        bins count: Int = 10, level: Double = 0.95, meaning: WeightMeaning = .sampling, hasInterval: Bool = true
    ) -> Calibration {
        let segments = segments(.overall) { cuts($0, bins: count) }
        let bins = segments.map { segment in
            let weight = segment.treated.weight + segment.control.weight
            return Calibration.Bin(
                predicted: weight > 0 ? segment.score / weight : nil,
                predictedStandardError: weight > 0 && trial.standardError != nil ? segment.standardError / weight : nil,
                observed: effect(segment, level: level, meaning: meaning))
        }
        guard trial.clusters != nil else { return Calibration(bins: bins, level: level, hasInterval: hasInterval) }
        return Calibration(bins: bins, level: level, hasInterval: hasInterval) {
            self.clusteredError(segments, coefficients: $0)
        }
    }
}
