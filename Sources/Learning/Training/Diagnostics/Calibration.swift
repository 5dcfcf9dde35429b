import Foundation
import Rows

/// The best linear predictor test of calibration and heterogeneity (Chernozhukov, Demirer, Duflo and Fernández-Val 2018):
/// Ỹ = α T̃ θ̄ + β T̃ (θ(x) − θ̄) + noise. α near 1: the average effect is right; β clearly above 0: the forest has found
/// differences that are there, near 1: of the right size.
package struct Calibration: Sendable, Equatable {
    package var mean: Double
    package var meanError: Double
    package var heterogeneity: Double
    package var heterogeneityError: Double
    /// One-sided, of no heterogeneity.
    package var pValue: Double

    init(_ data: TrainingData, treatment: [Float], outcome: [Float], effects: [Float]) {
        let count = data.count
        var (sum, total) = (0.0, 0.0)
        for row in 0..<count {
            sum += Double(data.weight(row)) * Double(effects[row])
            total += Double(data.weight(row))
        }
        let average = sum / max(total, .leastNormalMagnitude)
        func columns(_ row: Int) -> (Double, Double) {
            let t = Double(treatment[row])
            return (t * average, t * (Double(effects[row]) - average))
        }
        var (aa, ab, bb, ay, by) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for row in 0..<count {
            let (a, b) = columns(row)
            let (w, y) = (Double(data.weight(row)), Double(outcome[row]))
            aa += w * a * a
            ab += w * a * b
            bb += w * b * b
            ay += w * a * y
            by += w * b * y
        }
        let determinant = aa * bb - ab * ab
        guard determinant > 0 else {
            (mean, meanError, heterogeneity, heterogeneityError, pValue) = (.nan, .nan, .nan, .nan, 1)
            return
        }
        let (alpha, beta) = ((bb * ay - ab * by) / determinant, (aa * by - ab * ay) / determinant)
        // Heteroskedasticity-robust, by cluster when there are some.
        var (maa, mab, mbb) = (0.0, 0.0, 0.0)
        var scores: [(Double, Double)] = []
        if data.clusters != nil { scores = .init(repeating: (0, 0), count: data.clusterCount) }
        for row in 0..<count {
            let (a, b) = columns(row)
            let error = Double(data.weight(row)) * (Double(outcome[row]) - alpha * a - beta * b)
            if let clusters = data.clusters {
                scores[Int(clusters[row])].0 += error * a
                scores[Int(clusters[row])].1 += error * b
            } else {
                maa += error * error * a * a
                mab += error * error * a * b
                mbb += error * error * b * b
            }
        }
        for (a, b) in scores {
            maa += a * a
            mab += a * b
            mbb += b * b
        }
        let inverse = (bb / determinant, -ab / determinant, aa / determinant)
        func variance(_ x: Double, _ y: Double) -> Double { x * x * maa + 2 * x * y * mab + y * y * mbb }
        mean = alpha
        meanError = variance(inverse.0, inverse.1).squareRoot()
        heterogeneity = beta
        heterogeneityError = variance(inverse.1, inverse.2).squareRoot()
        pValue = 0.5 * erfc(beta / heterogeneityError / 2.0.squareRoot())
    }
}
