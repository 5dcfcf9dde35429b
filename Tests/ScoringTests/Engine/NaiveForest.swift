import Foundation
import Scoring

/// The executable specification in plain Swift: walks nodes in double precision, and computes effect and variance as
/// ../shared/reference/{causal_forest_reference,grf_forest_reference}.py do.
struct NaiveForest {
    let info: ForestInfo
    let trees: [RawTree]
    private let payloadRows: [[Int]]

    init(_ info: ForestInfo, _ trees: [RawTree]) {
        self.info = info
        self.trees = trees
        payloadRows = trees.map { tree in
            var next = 0
            return tree.left.map { left in
                guard left < 0 else { return -1 }
                next += 1
                return next - 1
            }
        }
    }

    /// The payload of the leaf that a row reaches in a tree.
    func leaf(_ index: Int, _ x: [Float]) -> ArraySlice<Double> {
        let tree = trees[index]
        var node = Int(tree.root)
        while tree.left[node] >= 0 {
            let value = Double(x[Int(tree.feature[node])])
            let threshold = tree.threshold[node]
            let left = value <= threshold || (value.isNaN && (tree.missingLeft[node] || threshold.isNaN))
            node = Int(left ? tree.left[node] : tree.right[node])
        }
        let columns = info.payloadColumns
        let row = payloadRows[index][node]
        return tree.payload[row * columns..<(row + 1) * columns]
    }

    /// Averages over the trees, added in their order.
    func averages(_ x: [Float]) -> [Double] {
        var sums = [Double](repeating: 0, count: info.payloadColumns)
        var count = 0.0
        for index in trees.indices {
            let leaf = leaf(index, x)
            if leaf.first?.isNaN ?? true { continue }
            for (column, value) in leaf.enumerated() { sums[column] += value }
            count += 1
        }
        return sums.map { $0 / count }
    }

    /// θ of one or two parameters in closed form, operation by operation as the engine does; nil for more.
    func exactTheta(_ x: [Float]) -> [Double]? {
        let a = averages(x)
        switch (info.kind, info.parameters) {
        case (.grf, _):
            return [(a[3] * a[6] - a[0] * a[2]) / (a[4] * a[6] - a[1] * a[2])]
        case (.econml, 1): return [0 + (1 / a[1]) * a[0]]
        case (.econml, 2):
            let determinant = a[2] * a[5] - a[3] * a[4]
            return [
                0 + a[5] / determinant * a[0] + -a[3] / determinant * a[1],
                0 + -a[4] / determinant * a[0] + a[2] / determinant * a[1],
            ]
        default: return nil
        }
    }

    /// Effect (the contrast `r` of θ) and variance, by the references' formulas.
    func reference(_ x: [Float], contrast r: [Double]) -> (effect: Double, variance: Double) {
        info.kind == .grf ? instrumental(x) : moments(x, r)
    }

    /// What the little bags estimate before the debiasing: EconML kind only.
    func undebiasedVariance(_ x: [Float], contrast r: [Double]) -> Double {
        let (_, between, correction, _) = littleBags(x, r)
        return between - correction
    }

    private func moments(_ x: [Float], _ r: [Double]) -> (effect: Double, variance: Double) {
        let (effect, between, correction, n) = littleBags(x, r)
        return (effect, debias(between, correction, n, floor: 1e-10))
    }

    private func littleBags(
        _ x: [Float], _ r: [Double]
    ) -> (effect: Double, between: Double, correction: Double, bags: Double) {
        let p = info.parameters
        let average = averages(x)
        let inverse = invert(Array(average[p...]), p)
        let theta = (0..<p).map { i in (0..<p).reduce(0) { $0 + inverse[i * p + $1] * average[$1] } }
        let padded = r + [Double](repeating: 0, count: p - r.count)
        let w = (0..<p).map { j in (0..<p).reduce(0) { $0 + padded[$1] * inverse[$1 * p + j] } }
        let scores = trees.indices.map { index in
            let leaf = Array(leaf(index, x))
            return (0..<p).reduce(0.0) { sum, j in
                sum + w[j] * (leaf[j] - (0..<p).reduce(0.0) { $0 + leaf[p + j * p + $1] * theta[$1] })
            }
        }
        let k = info.groupSize
        let groups = stride(from: 0, to: scores.count, by: k).map { Array(scores[$0..<$0 + k]) }
        let n = Double(groups.count)
        let means = groups.map { $0.reduce(0, +) / Double(k) }
        let second = means.reduce(0) { $0 + $1 * $1 } / n
        let mean = means.reduce(0, +) / n
        let between = second - mean * mean
        let total = groups.reduce(0) { $0 + $1.reduce(0) { $0 + $1 * $1 } / Double(k) } / n
        let correction = (total - second) / Double(k - 1)
        let effect = (0..<p).reduce(0.0) { $0 + padded[$1] * theta[$1] }
        return (effect, between, correction, n)
    }

    private func instrumental(_ x: [Float]) -> (effect: Double, variance: Double) {
        let v = averages(x)
        let denominator = v[4] * v[6] - v[1] * v[2]
        let tau = (v[3] * v[6] - v[0] * v[2]) / denominator
        let mu = (v[0] - v[1] * tau) / v[6]
        let k = info.groupSize
        var (n, between, total) = (0.0, 0.0, 0.0)
        for group in stride(from: 0, to: trees.count, by: k) {
            let rho = (group..<group + k).map { index in
                let b = Array(leaf(index, x))
                let psi1 = b[3] - b[4] * tau - b[2] * mu
                let psi2 = b[0] - b[1] * tau - b[6] * mu
                return (v[6] * psi1 - v[2] * psi2) / denominator
            }
            guard !rho.contains(where: \.isNaN) else { continue }
            n += 1
            let mean = rho.reduce(0, +) / Double(k)
            between += mean * mean
            total += rho.reduce(0) { $0 + $1 * $1 }
        }
        between /= n
        let noise = (total / (n * Double(k)) - between) / Double(k - 1)
        if abs(max(between, noise) * (2 / n).squareRoot()) < 1e-10 { return (tau, 0) }
        return (tau, debias(between, noise, n, floor: 0))
    }

    private func debias(_ between: Double, _ noise: Double, _ n: Double, floor: Double) -> Double {
        let error = max(between, noise) * (2 / n).squareRoot()
        let z = (between - noise) / max(error, floor)
        return between - noise + error * exp(-z * z / 2) / (2 * Double.pi).squareRoot()
            / (0.5 * erfc(-z / 2.0.squareRoot()))
    }

    /// Gauss–Jordan; the trees of the tests are well away from singular.
    private func invert(_ a: [Double], _ n: Int) -> [Double] {
        var (a, inverse) = (a, (0..<n * n).map { $0 / n == $0 % n ? 1.0 : 0.0 })
        for k in 0..<n {
            let pivot = a[k * n + k]
            for j in 0..<n {
                a[k * n + j] /= pivot
                inverse[k * n + j] /= pivot
            }
            for i in 0..<n where i != k {
                let factor = a[i * n + k]
                for j in 0..<n {
                    a[i * n + j] -= factor * a[k * n + j]
                    inverse[i * n + j] -= factor * inverse[k * n + j]
                }
            }
        }
        return inverse
    }
}
