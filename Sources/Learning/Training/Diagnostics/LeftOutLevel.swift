import Base
import Rows
import Statistics

/// Effects of rows by models that have not seen them, made comparable between rows.
///
/// What has not seen a row (or its cluster, or its fold) has an average effect without it: the more a row gained, the lower. That
/// alone would rank people against their own outcomes, and a test of ranking would find them ranked worse than chance where there
/// is nothing to rank. So each row's own average without its group is replaced by that of all.
enum LeftOutLevel {
    /// - Parameters:
    ///   - effects: by effect, by row.
    ///   - groups: of each row, what the models of its effects have not seen together; nil: the row alone.
    static func removed(from effects: [[Float]], _ residuals: Residuals, groups: [UInt32]?) -> [[Float]] {
        let (data, q) = (residuals.data, effects.count)
        guard q == residuals.effects, q <= 32, q > 0 else { return effects }
        let columns = q + q * q
        let groupCount = groups.map { Int($0.max() ?? 0) + 1 } ?? 0
        var sums = [Double](repeating: 0, count: groupCount * columns)
        var whole = [Double](repeating: 0, count: columns)
        var own = [Double](repeating: 0, count: columns)
        /// Numerators Σ w T̃ Ỹ, then moments Σ w T̃ T̃ᵀ.
        func read(_ row: Int) {
            let (weight, y) = (Double(data.weight(row)), Double(residuals.outcome(row)))
            for i in 0..<q {
                let t = weight * Double(residuals.treatment(i, row))
                own[i] = t * y
                for j in 0..<q { own[q + i * q + j] = t * Double(residuals.treatment(j, row)) }
            }
        }
        for row in 0..<data.count {
            read(row)
            for column in 0..<columns { whole[column] += own[column] }
            if let groups {
                let start = Int(groups[row]) * columns
                for column in 0..<columns { sums[start + column] += own[column] }
            }
        }
        let matrix = SmallMatrix(size: q)
        defer { matrix.deallocate() }
        var inverse = [Double](repeating: 0, count: q * q)
        func solve(_ moments: [Double]) -> [Double] {
            Array(moments[q...]).withUnsafeBufferPointer { a in
                inverse.withUnsafeMutableBufferPointer { out in
                    if let a = a.baseAddress, let out = out.baseAddress { matrix.invert(a, into: out) }
                }
            }
            return (0..<q).map { i in (0..<q).reduce(0) { $0 + inverse[i * q + $1] * moments[$1] } }
        }
        let average = solve(whole)
        /// What leaving a group out adds to the averages.
        func shift(_ part: [Double]) -> [Float] {
            let left = zip(whole, part).map { $0 - $1 }
            let found = zip(solve(left), average).map { Float($0 - $1) }
            return found.allSatisfy(\.isFinite) ? found : [Float](repeating: 0, count: q)
        }
        let shifts = (0..<groupCount).map { shift(Array(sums[$0 * columns..<($0 + 1) * columns])) }
        var out = effects
        if groups == nil, q == 1 {
            // One effect and single rows, most files: without an array a row.
            for row in 0..<data.count {
                let (t, weight) = (Double(residuals.treatment(0, row)), Double(data.weight(row)))
                let rest = whole[1] - weight * t * t
                guard rest > 0 else { continue }
                out[0][row] -= Float((whole[0] - weight * t * Double(residuals.outcome(row))) / rest - average[0])
            }
            return out
        }
        for row in 0..<data.count {
            let moved: [Float]
            if let groups {
                moved = shifts[Int(groups[row])]
            } else {
                read(row)
                moved = shift(own)
            }
            for effect in 0..<q { out[effect][row] -= moved[effect] }
        }
        return out
    }
}
