import Base
import Statistics

/// Logistic regression of a target of 0 and 1 on the columns of a design, each row predicted by the fit on the other folds: a
/// straight line would leave the range of chances where they are near 0 or 1. Newton's method on log loss + λ/2 Σ b², the
/// constant free.
struct LogisticFolds {
    let ridge: RidgeFolds
    let weights: [Float]?
    let threads: Int

    private static let mostSteps = 25
    /// Rows × columns² of a fold's moments, at the most: more rows are sampled evenly.
    private static let mostWork = 200_000_000

    /// - Parameter penalty: the ridge regression's own, of the same target: a logistic curvature is `share` × (1 − share) of it.
    func fit(_ target: (Int) -> Float, penalty: Double) -> [Float] {
        let (design, folds) = (ridge.design, ridge.folds)
        let (rows, width, size) = (design.rows, design.width, design.width + 1)
        let labels = [Float](unsafeUninitializedCapacity: rows) { buffer, count in
            for row in 0..<rows { buffer[row] = target(row) }
            count = rows
        }
        let found = Slots<[Double]>(folds.count)
        Parallel.forEach(folds.count, threads: threads) { number in
            found[number] = fit(labels, leavingOut: UInt8(number), penalty: penalty)
        }
        let fits = found.values
        var x = [Double](repeating: 1, count: size)
        return (0..<rows).map { row in
            let fit = fits[Int(folds.fold[row])]
            design.read(row, into: &x)
            var margin = fit[width]
            for column in 0..<width { margin += fit[column] * x[column] }
            return Float(Logistic.sigmoid(margin))
        }
    }

    private func fit(_ labels: [Float], leavingOut fold: UInt8, penalty: Double) -> [Double] {
        let (design, folds) = (ridge.design, ridge.folds)
        let (width, size) = (design.width, design.width + 1)
        let step = max(1, design.rows * size * size / Self.mostWork)
        let used = stride(from: 0, to: design.rows, by: step).filter { folds.fold[$0] != fold }
        var (sum, total) = (0.0, 0.0)
        for row in used {
            sum += Double(weights?[row] ?? 1) * Double(labels[row])
            total += Double(weights?[row] ?? 1)
        }
        let share = min(max(sum / max(total, .leastNormalMagnitude), 1e-6), 1 - 1e-6)
        let shrinkage = penalty * share * (1 - share) / Double(step)
        var fit = [Double](repeating: 0, count: size)
        fit[width] = Logistic.logarithm(share / (1 - share))
        var (x, gram) = ([Double](repeating: 1, count: size), [Double](repeating: 0, count: size * size))
        var gradient = [Double](repeating: 0, count: size)
        /// −log likelihood + penalty; its gradient and its curvature stay behind.
        func loss(_ fit: [Double]) -> Double {
            var loss = 0.0
            for index in gram.indices { gram[index] = 0 }
            for index in gradient.indices { gradient[index] = 0 }
            for row in used {
                design.read(row, into: &x)
                var margin = fit[width]
                for column in 0..<width { margin += fit[column] * x[column] }
                let (weight, label) = (Double(weights?[row] ?? 1), Double(labels[row]))
                let chance = Logistic.sigmoid(margin)
                let own = label > 0.5 ? chance : 1 - chance
                loss -= weight * Logistic.logarithm(max(own, .leastNormalMagnitude))
                let (residual, curvature) = (weight * (label - chance), weight * chance * (1 - chance))
                for i in 0..<size {
                    gradient[i] += residual * x[i]
                    let scaled = curvature * x[i]
                    if scaled == 0 { continue }
                    for j in i..<size { gram[i * size + j] += scaled * x[j] }
                }
            }
            for column in 0..<width {
                loss += shrinkage / 2 * fit[column] * fit[column]
                gradient[column] -= shrinkage * fit[column]
                gram[column * size + column] += shrinkage
            }
            for i in 0..<size { for j in 0..<i { gram[i * size + j] = gram[j * size + i] } }
            return loss
        }
        var before = loss(fit)
        for _ in 0..<Self.mostSteps {
            var matrix = gram
            for index in 0..<size { matrix[index * size + index] += 1e-9 * total }
            guard let step = Cholesky(matrix, size: size)?.solve(gradient) else { break }
            let gain = zip(step, gradient).reduce(0) { $0 + $1.0 * $1.1 }
            guard gain > 1e-9 * max(1, abs(before)) else { break }
            // Half the step until the loss falls: then Newton's method always ends.
            var (scale, next) = (1.0, zip(fit, step).map { $0 + $1 })
            var after = loss(next)
            while scale > 1e-3, after > before {
                scale /= 2
                next = zip(fit, step).map { $0 + scale * $1 }
                after = loss(next)
            }
            (fit, before) = (next, after)
        }
        return fit
    }
}
