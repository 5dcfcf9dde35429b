import CForest

extension Scorer {
    /// Room for the parts of a block of rows.
    final class ComposedSpace {
        let compiled: CompiledComposition
        /// Rows after preprocessing; nil: as they come.
        let derived: UnsafeMutablePointer<Float>?
        /// Part-major, `rows` apart.
        let values: UnsafeMutablePointer<Double>
        let errors: UnsafeMutablePointer<Double>
        /// Effects of a causal forest, row-major.
        let causal: UnsafeMutablePointer<Estimate>
        let rows: Int

        init(_ compiled: CompiledComposition, rows: Int, causalEffects: Int) {
            self.compiled = compiled
            self.rows = rows
            let hasInputs = !compiled.preprocessing.isEmpty
            derived = hasInputs ? .allocate(capacity: rows * compiled.featureStride) : nil
            derived?.initialize(repeating: 0, count: rows * compiled.featureStride)
            values = .allocate(capacity: rows * compiled.partCount)
            errors = .allocate(capacity: rows * compiled.partCount)
            errors.initialize(repeating: .nan, count: rows * compiled.partCount)
            causal = .allocate(capacity: max(1, rows * causalEffects))
        }

        deinit {
            derived?.deallocate()
            values.deallocate()
            errors.deallocate()
            causal.deallocate()
        }
    }

    /// One block of rows through the parts, then the effects. Returns nothing: refusals are told by `refuse`.
    func scoreComposed(
        _ space: ComposedSpace, _ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int,
        into estimates: UnsafeMutablePointer<Estimate>, standardErrors: Bool
    ) {
        let compiled = space.compiled
        var (source, sourceStride) = (rows, stride)
        if let derived = space.derived {
            let inputs = UnsafeBufferPointer(compiled.preprocessing)
            for row in 0..<count {
                Preprocessing.apply(inputs, rows + row * stride, into: derived + row * compiled.featureStride)
            }
            (source, sourceStride) = (UnsafePointer(derived), compiled.featureStride)
        }
        var causalDone = -1
        for part in 0..<compiled.partCount {
            let values = space.values + part * space.rows
            let errors = space.errors + part * space.rows
            let number = compiled.forestOfPart[part]
            guard number >= 0 else {
                for row in 0..<count {
                    let (value, error) = compiled.linear(part, source + row * sourceStride)
                    (values[row], errors[row]) = (value, standardErrors ? error : .nan)
                }
                continue
            }
            let forest = model.forests[number]
            if forest.layout.kind == .additive {
                sumLeaves(forest, source, sourceStride, count)
                for row in 0..<count { values[row] = compiled.trees(part, sum: sums[row]) }
                continue
            }
            let effects = solvers[number].effects
            if causalDone != number {
                score(
                    forest, solvers[number], source, sourceStride, count, into: space.causal, rowSpacing: effects,
                    effectSpacing: 1, standardErrors: standardErrors)
                causalDone = number
            }
            guard case .causal(let causal) = compiled.composition.parts[part] else { continue }
            for row in 0..<count {
                let estimate = space.causal[row * effects + causal.effect]
                (values[row], errors[row]) = (estimate.effect, estimate.standardError)
            }
        }
        for row in 0..<count {
            for effect in 0..<model.effectCount {
                estimates[row * model.effectCount + effect] = compiled.effect(
                    effect, space.values + row, space.errors + row, stride: space.rows)
            }
        }
    }

    /// The sums of an additive forest's leaves, in the order of the trees, into `sums`.
    private func sumLeaves(_ forest: LoadedForest, _ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int) {
        sums.update(repeating: 0, count: count)
        counts.update(repeating: 0, count: count)
        forEachDescent(forest, rows, stride, count, keepsExits: false) { descent, _ in
            cforest_descend(number, &descent)
            cforest_accumulate(number, &descent, 1, 0, sums, counts)
        }
    }
}
