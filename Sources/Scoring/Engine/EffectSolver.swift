import Statistics

/// From the leaf averages of one row to its effects: θ = J⁺A (EconML), or τ by the instrumental moments (grf), and for
/// each effect the weights that turn a leaf into its tree's influence on the effect.
///
/// With A_b and J_b the averages in tree b's leaf and w the row of J⁺ that an effect reads, the tree's influence is
/// w·(A_b − J_b θ): linear in the leaf, so that the variance needs one dot product a tree.
struct EffectSolver {
    let layout: ModelFormat.Forest
    /// Effects of this forest.
    let effects: Int
    /// Doubles stored a leaf.
    let stored: Int

    /// For each effect p weights on θ; nil: effect i is θ_i.
    private let contrasts: [[Double]]?
    private let matrix: SmallMatrix
    /// Averages by column, the inverse, θ and w.
    private let averages: UnsafeMutablePointer<Double>
    private let inverse: UnsafeMutablePointer<Double>
    private let theta: UnsafeMutablePointer<Double>
    private let weights: UnsafeMutablePointer<Double>
    /// Where each column comes from: the index stored, or −1 and a constant.
    private let sources: UnsafeMutablePointer<Int>
    private let constants: UnsafeMutablePointer<Double>

    init(layout: ModelFormat.Forest, effects: Int, contrasts: [[Double]]?) {
        self.layout = layout
        self.effects = effects
        self.contrasts = contrasts
        stored = layout.storedColumns
        let (p, columns) = (layout.parameters, layout.columns.count)
        matrix = SmallMatrix(size: p)
        averages = .allocate(capacity: columns)
        inverse = .allocate(capacity: p * p)
        theta = .allocate(capacity: p)
        weights = .allocate(capacity: p)
        sources = .allocate(capacity: columns)
        constants = .allocate(capacity: columns)
        for (column, source) in layout.columns.enumerated() {
            switch source {
            case .stored(let index): (sources[column], constants[column]) = (index, 0)
            case .constant(let value): (sources[column], constants[column]) = (-1, value)
            }
        }
    }

    /// The owner calls it once.
    func deallocate() {
        matrix.deallocate()
        for pointer in [averages, inverse, theta, weights, constants] { pointer.deallocate() }
        sources.deallocate()
    }

    /// Solves one row.
    ///
    /// - Parameters:
    ///   - sums: of the stored values, over `count` trees.
    ///   - estimate: called for each effect with its index and value.
    ///   - coefficients: effects × (1 + stored): each tree's influence is the first plus the dot product with its leaf;
    ///     nil when not wanted.
    @inline(__always)
    func solve(
        sums: UnsafePointer<Double>, count: UInt32, coefficients: UnsafeMutablePointer<Double>?,
        coefficientStride: Int, estimate: (Int, Double) -> Void
    ) {
        let trees = Double(count)
        for column in 0..<layout.columns.count {
            averages[column] = sources[column] >= 0 ? sums[sources[column]] / trees : constants[column]
        }
        switch layout.kind {
        case .econml: solveMoments(coefficients, coefficientStride, estimate)
        case .grf: solveInstrumental(coefficients, estimate)
        case .additive: break  // `Scorer.scoreComposed` adds these up itself
        }
    }

    @inline(__always)
    private func solveMoments(
        _ coefficients: UnsafeMutablePointer<Double>?, _ stride: Int, _ estimate: (Int, Double) -> Void
    ) {
        let p = layout.parameters
        matrix.invert(averages + p, into: inverse)
        for i in 0..<p {
            var value = 0.0
            for j in 0..<p { value += inverse[i * p + j] * averages[j] }
            theta[i] = value
        }
        for effect in 0..<effects {
            var value = 0.0
            if let contrasts {
                for j in 0..<layout.treatments { value += theta[j] * contrasts[effect][j] }
            } else {
                value = theta[effect]
            }
            estimate(effect, value)
            guard let coefficients else { continue }
            for j in 0..<p {
                guard let contrasts else {
                    weights[j] = inverse[effect * p + j]
                    continue
                }
                var weight = 0.0
                for i in 0..<layout.treatments { weight += contrasts[effect][i] * inverse[i * p + j] }
                weights[j] = weight
            }
            let row = coefficients + effect * stride
            row.update(repeating: 0, count: stored + 1)
            for j in 0..<p {
                add(weights[j], to: j, row)
                for k in 0..<p { add(-weights[j] * theta[k], to: p + j * p + k, row) }
            }
        }
    }

    /// grf: Y W Z YZ WZ ZZ G are columns 0 to 6.
    @inline(__always)
    private func solveInstrumental(_ coefficients: UnsafeMutablePointer<Double>?, _ estimate: (Int, Double) -> Void) {
        let (y, w, z, yz, wz, g) = (averages[0], averages[1], averages[2], averages[3], averages[4], averages[6])
        let denominator = wz * g - w * z
        let tau = (yz * g - y * z) / denominator
        estimate(0, tau)
        guard let row = coefficients else { return }
        let mu = (y - w * tau) / g
        row.update(repeating: 0, count: stored + 1)
        add(-z / denominator, to: 0, row)
        add(z * tau / denominator, to: 1, row)
        add(-g * mu / denominator, to: 2, row)
        add(g / denominator, to: 3, row)
        add(-g * tau / denominator, to: 4, row)
        add(z * mu / denominator, to: 6, row)
    }

    @inline(__always)
    private func add(_ weight: Double, to column: Int, _ row: UnsafeMutablePointer<Double>) {
        let source = sources[column]
        if source >= 0 { row[source + 1] += weight } else { row[0] += weight * constants[column] }
    }
}
