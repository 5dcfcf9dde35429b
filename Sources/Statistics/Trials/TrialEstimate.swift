/// A number estimated from independent units, and how sure it is.
package struct TrialEstimate: Sendable, Equatable {
    package let value: Double
    /// nil when too few units leave it unknown, or when nothing varies.
    package let standardError: Double?
    /// How many independent units (clusters, else rows) it rests on.
    package let units: Int
    /// Of the t distribution of intervals and tests.
    package let degreesOfFreedom: Double

    package init(value: Double, standardError: Double?, units: Int, degreesOfFreedom: Double) {
        self.value = value
        self.standardError = standardError
        self.units = units
        self.degreesOfFreedom = degreesOfFreedom
    }

    /// From the influence of each row: the variance of the estimate is the sum over clusters of the square of the
    /// cluster's influence, times G / (G - 1) (Liang and Zeger 1986). Without clusters each row is a unit.
    ///
    /// - Parameters:
    ///   - influence: by how much a small change of the row's weight, times that weight, moves the value; sums to 0.
    ///   - counted: how many rows count (weight over 0) when there are no clusters; nil: all.
    package init(value: Double, influence: [Double], clusters: Clusters?, counted: Int? = nil) {
        var squares = 0.0
        let units: Int
        if let clusters {
            units = clusters.count
            for sum in clusters.sums(influence) { squares += sum * sum }
        } else {
            units = counted ?? influence.count
            for part in influence { squares += part * part }
        }
        let error = units > 1 ? (squares * Double(units) / Double(units - 1)).squareRoot() : 0
        self.init(
            value: value, standardError: error > 0 && error.isFinite ? error : nil, units: units,
            degreesOfFreedom: Double(max(1, units - 1)))
    }

    /// The mean of one number per row, each counted by its weight.
    package init(mean contributions: [Double], weight: [Double]? = nil, clusters: Clusters? = nil) {
        var total = (weight: 0.0, value: 0.0, rows: 0)
        for row in contributions.indices {
            let w = weight?[row] ?? 1
            total.weight += w
            total.value += w * contributions[row]
            if w > 0 { total.rows += 1 }
        }
        let mean = total.weight > 0 ? total.value / total.weight : 0
        let scale = total.weight > 0 ? 1 / total.weight : 0
        self.init(
            value: mean,
            influence: contributions.indices.map { (weight?[$0] ?? 1) * (contributions[$0] - mean) * scale },
            clusters: clusters, counted: total.rows)
    }

    /// value ± t standard errors; nil when the standard error is not known.
    package func interval(level: Double) -> Interval? {
        guard let standardError else { return nil }
        let half = StudentT.t(level: level, degrees: degreesOfFreedom) * standardError
        return Interval(lower: value - half, upper: value + half)
    }

    /// Two-sided, of the hypothesis that the number is 0.
    package var pValue: Double? {
        standardError.map { StudentT.twoSided(value / $0, degrees: degreesOfFreedom) }
    }
}
