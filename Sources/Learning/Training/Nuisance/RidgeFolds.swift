import Base
import Foundation
import Statistics
import Trees

/// Ridge regression of several targets on the same columns, each row predicted by the fit on the other folds. The penalty
/// comes from a grid by the error on the folds left out.
///
/// One pass over the rows adds up the moments of each fold; every fit after it is a small linear system.
struct RidgeFolds {
    let design: Design
    let folds: Folds
    private let weights: [Float]?
    private var grams: [[Double]] = []
    private let size: Int

    static let penalties: [Double] = [1e-6, 1, 10, 100, 1_000, 10_000]

    init(_ design: Design, _ folds: Folds, weights: [Float]?, threads: Int) {
        self.design = design
        self.folds = folds
        self.weights = weights
        size = design.width + 1
        let (rows, size) = (design.rows, size)
        // A fold's moments are added up by one thread, in the order of the rows.
        let found = Slots<[Double]>(folds.count)
        let fold = folds.fold
        Parallel.forEach(folds.count, threads: threads) { number in
            var gram = [Double](repeating: 0, count: size * size)
            var x = [Double](repeating: 1, count: size)
            for row in 0..<rows where Int(fold[row]) == number {
                design.read(row, into: &x)
                let weight = Double(weights?[row] ?? 1)
                for i in 0..<size {
                    let scaled = weight * x[i]
                    if scaled == 0 { continue }
                    for j in i..<size { gram[i * size + j] += scaled * x[j] }
                }
            }
            for i in 0..<size { for j in 0..<i { gram[i * size + j] = gram[j * size + i] } }
            found[number] = gram
        }
        grams = found.values
    }

    struct Result {
        /// Each row's prediction by the fit on the other folds.
        var predictions: [Float]
        /// The weighted mean squared error of these.
        var error: Double
        var penalty: Double
    }

    /// Fits one target.
    func fit(_ target: (Int) -> Float) -> Result {
        let (rows, width) = (design.rows, design.width)
        var moments = [[Double]](repeating: [Double](repeating: 0, count: size), count: folds.count)
        var squares = [Double](repeating: 0, count: folds.count)
        var x = [Double](repeating: 1, count: size)
        for row in 0..<rows {
            let fold = Int(folds.fold[row])
            let value = Double(target(row))
            let weighted = value * Double(weights?[row] ?? 1)
            squares[fold] += weighted * value
            design.read(row, into: &x)
            for column in 0..<size { moments[fold][column] += weighted * x[column] }
        }
        let gram = Self.sum(grams), moment = Self.sum(moments)
        let total = gram[size * size - 1]
        var best: (error: Double, penalty: Double, fits: [[Double]])?
        for penalty in Self.penalties {
            var error = 0.0
            var fits: [[Double]] = []
            for fold in 0..<folds.count {
                let fit = solve(Self.minus(gram, grams[fold]), Self.minus(moment, moments[fold]), penalty)
                fits.append(fit)
                // Σ w (y − x·b)² = Σ w y² − 2 b·m + b·G·b on the fold left out.
                var quadratic = 0.0
                for i in 0..<size {
                    var sum = 0.0
                    for j in 0..<size { sum += grams[fold][i * size + j] * fit[j] }
                    quadratic += fit[i] * (sum - 2 * moments[fold][i])
                }
                error += squares[fold] + quadratic
            }
            error /= max(total, .leastNormalMagnitude)
            if best.map({ error < $0.error }) ?? true { best = (error, penalty, fits) }
        }
        let chosen = best ?? (0, 0, [])
        var predictions = [Float](repeating: 0, count: rows)
        for row in 0..<rows {
            let fit = chosen.fits[Int(folds.fold[row])]
            design.read(row, into: &x)
            var value = fit[width]
            for column in 0..<width { value += fit[column] * x[column] }
            predictions[row] = Float(value)
        }
        return Result(predictions: predictions, error: chosen.error, penalty: chosen.penalty)
    }

    private func solve(_ gram: [Double], _ moment: [Double], _ penalty: Double) -> [Double] {
        var matrix = gram
        for column in 0..<design.width { matrix[column * size + column] += penalty }
        if let factor = Cholesky(matrix, size: size) { return factor.solve(moment) }
        for column in 0..<size { matrix[column * size + column] += 1e-8 * gram[size * size - 1] + 1e-12 }
        return Cholesky(matrix, size: size, tolerance: 0)?.solve(moment) ?? [Double](repeating: 0, count: size)
    }

    static func sum(_ parts: [[Double]]) -> [Double] {
        parts.dropFirst().reduce(into: parts.first ?? []) { total, part in
            for index in total.indices { total[index] += part[index] }
        }
    }

    static func minus(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 - $1 } }
}
