import CForest

extension Scorer {
    /// The covariance of one row's effects, an outcome at a time: the forests of several outcomes are independent.
    ///
    /// The diagonal is the squares of the standard errors; off the diagonal no prior is known and the little bags'
    /// estimate stands as it is, so that a matrix may have a negative eigenvalue (as in EconML).
    ///
    /// - Parameters:
    ///   - row: `model.rowStride` floats.
    ///   - covariances: room for outcomes × treatments × treatments. All NaN when the row is refused or the forest has
    ///     no little bags.
    package func covariances(row: UnsafePointer<Float>, into covariances: UnsafeMutablePointer<Double>) {
        let size = model.treatments.count
        let refuses = model.missingValues == .refuse && (0..<model.featureCount).contains { !row[$0].isFinite }
        guard model.composition == nil else {
            covariances.update(repeating: .nan, count: model.outcomes.count * size * size)
            return
        }
        for (outcome, forest) in model.forests.enumerated() {
            let matrix = covariances + outcome * size * size
            matrix.update(repeating: .nan, count: size * size)
            guard !refuses, forest.layout.groupSize > 1 else { continue }
            covariance(forest, solvers[outcome], row, into: matrix)
            guard let offset = offsets[outcome]?.prepared(row) else { continue }
            for a in 0..<size { for b in 0..<size { matrix[a * size + b] += offset.covariance(a, b) } }
        }
    }

    private func covariance(
        _ forest: LoadedForest, _ solver: EffectSolver, _ row: UnsafePointer<Float>,
        into matrix: UnsafeMutablePointer<Double>
    ) {
        let (stored, trees, size) = (solver.stored, forest.treeCount, solver.effects)
        sums.update(repeating: 0, count: stored)
        counts[0] = 0
        forEachDescent(forest, row, model.rowStride, 1, keepsExits: true) { descent, _ in
            cforest_descend(number, &descent)
            cforest_accumulate(number, &descent, UInt32(stored), forest.layout.kind == .grf ? 1 : 0, sums, counts)
        }
        solver.solve(sums: sums, count: counts[0], coefficients: coefficients, coefficientStride: stored + 1) { _, _ in
        }
        // Each tree's influence on each effect.
        var influences = [Double](repeating: 0, count: size * trees)
        influences.withUnsafeMutableBufferPointer { influences in
            guard let start = influences.baseAddress else { return }
            for effect in 0..<size {
                forEachDescent(forest, row, model.rowStride, 1, keepsExits: true) { descent, tree in
                    cforest_project(
                        &descent, 0, UInt32(stored), coefficients + effect * (stored + 1),
                        start + effect * trees + tree)
                }
            }
        }
        for a in 0..<size {
            for b in 0...a {
                let value = covariance(
                    influences[a * trees..<(a + 1) * trees], influences[b * trees..<(b + 1) * trees], forest.layout,
                    isVariance: a == b)
                matrix[a * size + b] = value
                matrix[b * size + a] = value
            }
        }
    }

    private func covariance(
        _ a: ArraySlice<Double>, _ b: ArraySlice<Double>, _ layout: ModelFormat.Forest, isVariance: Bool
    ) -> Double {
        let size = layout.groupSize
        var (bags, meanA, meanB, second, total) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for start in stride(from: 0, to: a.count, by: size) {
            var (bagA, bagB, products) = (0.0, 0.0, 0.0)
            for (x, y) in zip(a.dropFirst(start).prefix(size), b.dropFirst(start).prefix(size)) {
                bagA += x
                bagB += y
                products += x * y
            }
            (bagA, bagB) = (bagA / Double(size), bagB / Double(size))
            guard !bagA.isNaN, !bagB.isNaN else { continue }
            bags += 1
            meanA += bagA
            meanB += bagB
            second += bagA * bagB
            total += products / Double(size)
        }
        guard bags > 0 else { return .nan }
        second /= bags
        let centre = layout.kind == .grf ? 0 : (meanA / bags) * (meanB / bags)
        let noise = (total / bags - second) / Double(size - 1)
        guard isVariance else { return second - centre - noise }
        return LittleBags.debiased(between: second - centre, noise: noise, bags: bags, kind: layout.kind)
    }
}
