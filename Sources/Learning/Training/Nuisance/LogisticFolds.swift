import Base
import Foundation
import Statistics

/// Logistic regression with an L2 penalty on the same columns as ``RidgeFolds``, each row predicted by the fit on the other
/// folds.
///
/// Newton's method on an even sample of a fold's rows, then steps with the gradient of all of them and the sample's Hessian:
/// a pass over all rows then costs as much as a prediction, and each divides the distance to the minimum by the square root of
/// the sample's rows a column (Bottou, Curtis and Nocedal 2018, section 6.1).
struct LogisticFolds {
    let design: Design
    let folds: Folds
    let weights: [Float]?
    let threads: Int
    /// Added to the diagonal for every column but the constant; scikit-learn's `C` is its inverse.
    let penalty: Double

    private static let sampleRows = 8_000
    private static let sampleRowsPerColumn = 40
    private static let mostSteps = 25
    private static let wholeSteps = 4
    /// Greatest change of a coefficient in one step: classes that a plane separates must not throw Newton's method off.
    private static let longestStep = 4.0

    /// Each row's probability by the fit on the other folds.
    func fit(_ target: (Int) -> Float) -> [Float] {
        let targets = (0..<design.rows).map(target)
        let found = Slots<[Double]>(folds.count)
        Parallel.forEach(folds.count, threads: threads) { fold in found[fold] = coefficients(but: fold, targets) }
        let fits = found.values
        var x = [Double](repeating: 1, count: design.width + 1)
        return (0..<design.rows).map { row in
            design.read(row, into: &x)
            return Float(Logistic.sigmoid(Self.margin(fits[Int(folds.fold[row])], x)))
        }
    }

    /// The coefficients of the rows outside one fold, the constant last.
    private func coefficients(but fold: Int, _ target: [Float]) -> [Double] {
        let size = design.width + 1
        let rows = (0..<design.rows).filter { Int(folds.fold[$0]) != fold }
        let stride = max(1, rows.count / max(Self.sampleRows, Self.sampleRowsPerColumn * size))
        let sample = stride == 1 ? rows : Swift.stride(from: 0, to: rows.count, by: stride).map { rows[$0] }
        var beta = [Double](repeating: 0, count: size)
        var factor: Cholesky?
        for _ in 0..<Self.mostSteps {
            let (gradient, hessian) = moments(sample, target, beta, scale: Double(rows.count) / Double(sample.count))
            factor = Cholesky(hessian, size: size) ?? factor
            guard let length = factor.map({ step(&beta, $0.solve(gradient)) }), length > 1e-9 else { break }
        }
        guard stride > 1, let factor else { return beta }
        for _ in 0..<Self.wholeSteps {
            guard step(&beta, factor.solve(gradient(rows, target, beta))) > 1e-9 else { break }
        }
        return beta
    }

    /// - Returns: the greatest change of a coefficient.
    private func step(_ beta: inout [Double], _ change: [Double]) -> Double {
        let length = change.reduce(0) { max($0, abs($1)) }
        let scale = length > Self.longestStep ? Self.longestStep / length : 1
        for index in beta.indices { beta[index] += scale * change[index] }
        return length.isFinite ? length : 0
    }

    private func moments(
        _ rows: [Int], _ target: [Float], _ beta: [Double], scale: Double
    ) -> (gradient: [Double], hessian: [Double]) {
        let size = beta.count
        var (gradient, hessian) = ([Double](repeating: 0, count: size), [Double](repeating: 0, count: size * size))
        var x = [Double](repeating: 1, count: size)
        for row in rows {
            design.read(row, into: &x)
            let p = Logistic.sigmoid(Self.margin(beta, x)), weight = scale * Double(weights?[row] ?? 1)
            let (miss, curvature) = (weight * (Double(target[row]) - p), weight * p * (1 - p))
            for i in 0..<size {
                gradient[i] += miss * x[i]
                let scaled = curvature * x[i]
                for j in i..<size { hessian[i * size + j] += scaled * x[j] }
            }
        }
        for i in 0..<size { for j in 0..<i { hessian[i * size + j] = hessian[j * size + i] } }
        for i in 0..<size - 1 {
            gradient[i] -= penalty * beta[i]
            hessian[i * size + i] += penalty
        }
        return (gradient, hessian)
    }

    private func gradient(_ rows: [Int], _ target: [Float], _ beta: [Double]) -> [Double] {
        var gradient = [Double](repeating: 0, count: beta.count)
        var x = [Double](repeating: 1, count: beta.count)
        for row in rows {
            design.read(row, into: &x)
            let miss = Double(weights?[row] ?? 1) * (Double(target[row]) - Logistic.sigmoid(Self.margin(beta, x)))
            for i in beta.indices { gradient[i] += miss * x[i] }
        }
        for i in 0..<beta.count - 1 { gradient[i] -= penalty * beta[i] }
        return gradient
    }

    @inline(__always)
    private static func margin(_ beta: [Double], _ x: [Double]) -> Double {
        var sum = 0.0
        for i in beta.indices { sum += beta[i] * x[i] }
        return sum
    }
}
