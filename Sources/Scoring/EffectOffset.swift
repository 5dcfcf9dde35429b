/// A smooth part of the effects of one outcome, added to what its forest says: θ(x) = offset(x) + forest(x).
///
/// Linear or quadratic in standardised features. A feature beyond the values of the training rows counts as their least or
/// greatest, so that no polynomial runs away; a missing value counts as the mean.
package struct EffectOffset: Codable, Sendable, Equatable {
    /// A feature as the terms use it: (x − mean) / deviation.
    package struct Input: Codable, Sendable, Equatable {
        package var feature: Int
        package var mean: Double
        package var deviation: Double
        package var least: Double
        package var greatest: Double

        package init(feature: Int, mean: Double, deviation: Double, least: Double, greatest: Double) {
            self.feature = feature
            self.mean = mean
            self.deviation = deviation
            self.least = least
            self.greatest = greatest
        }

        @inline(__always)
        package func value(_ x: Float) -> Double {
            x.isNaN ? 0 : (min(max(Double(x), least), greatest) - mean) / deviation
        }
    }

    /// An input, or the product of two, and its coefficient for each effect.
    package struct Term: Codable, Sendable, Equatable {
        package var first: Int
        package var second: Int?
        package var coefficients: [Double]

        package init(first: Int, second: Int?, coefficients: [Double]) {
            self.first = first
            self.second = second
            self.coefficients = coefficients
        }
    }

    package var inputs: [Input]
    /// One an effect.
    package var constants: [Double]
    package var terms: [Term]
    /// How sure the offset is, by the delete-a-group jackknife: for each group of training rows how the fit without it differs
    /// from the mean of these fits, effect after effect, a number a term and one for the constant. Scaled so that the squares
    /// of what they give for a row add up to the offset's variance there. nil: the offset counts as exact.
    package var deviations: [[Double]]?

    package init(inputs: [Input], constants: [Double], terms: [Term], deviations: [[Double]]? = nil) {
        self.inputs = inputs
        self.constants = constants
        self.terms = terms
        self.deviations = deviations
    }

    /// The offset of each effect of a row. Sums run in the order of the terms, everywhere: the same bits.
    package func values(_ row: UnsafePointer<Float>) -> [Double] {
        var values = [Double](repeating: 0, count: constants.count)
        let evaluator = OffsetEvaluator(self)
        for effect in values.indices { values[effect] = evaluator.prepared(row).value(effect) }
        return values
    }

    /// The variance of the offset of each effect of a row; 0 when it counts as exact.
    package func variances(_ row: UnsafePointer<Float>) -> [Double] {
        let evaluator = OffsetEvaluator(self)
        evaluator.prepared(row)
        return constants.indices.map { evaluator.covariance($0, $0) }
    }

    /// Adds what each feature of a row adds to the offset of an effect, over a row whose inputs are all at their means (the
    /// constant): the exact Shapley values of that game. A product is shared evenly by its two features.
    package func addContributions(_ row: UnsafePointer<Float>, effect: Int, to contributions: inout [Double]) {
        let values = inputs.map { $0.value(row[$0.feature]) }
        for term in terms {
            let own = term.coefficients[effect] * values[term.first]
            guard let second = term.second else {
                contributions[inputs[term.first].feature] += own
                continue
            }
            let half = own * values[second] / 2
            contributions[inputs[term.first].feature] += half
            contributions[inputs[second].feature] += half
        }
    }

    private static let mostGroups = 64

    /// What a model file may hold.
    func isValid(features: Int, effects: Int) -> Bool {
        constants.count == effects && constants.allSatisfy(\.isFinite)
            && inputs.allSatisfy {
                (0..<features).contains($0.feature) && $0.mean.isFinite && $0.deviation.isFinite && $0.deviation != 0
                    && $0.least <= $0.greatest
            }
            && terms.allSatisfy {
                inputs.indices.contains($0.first) && ($0.second.map { inputs.indices.contains($0) } ?? true)
                    && $0.coefficients.count == effects && $0.coefficients.allSatisfy(\.isFinite)
            }
            && (deviations ?? []).count <= Self.mostGroups
            && (deviations ?? []).allSatisfy {
                $0.count == effects * (terms.count + 1) && $0.allSatisfy(\.isFinite)
            }
    }
}

/// Evaluates an offset row by row without allocation. Used by one thread.
package final class OffsetEvaluator {
    private let offset: EffectOffset
    /// Owned; freed in `deinit`: the inputs of the row at hand, and the terms as flat arrays.
    private let inputs: UnsafeMutablePointer<EffectOffset.Input>
    private let values: UnsafeMutablePointer<Double>
    private let places: UnsafeMutablePointer<(first: Int32, second: Int32)>
    private let coefficients: UnsafeMutablePointer<Double>
    private let constants: UnsafeMutablePointer<Double>
    /// Of the row at hand, what each term multiplies, and a 1 for the constant.
    private let products: UnsafeMutablePointer<Double>
    /// Effects × (terms + 1) × `groups`: groups lie side by side, so that a sum of products a group runs in vectors.
    private let deviations: UnsafeMutablePointer<Double>
    /// What the deviations of two effects give for the row at hand, a number a group each.
    private let sums: UnsafeMutablePointer<Double>
    private let groups: Int
    private let effects: Int
    private let inputCount: Int
    private let termCount: Int

    package init(_ offset: EffectOffset) {
        self.offset = offset
        inputCount = offset.inputs.count
        termCount = offset.terms.count
        effects = offset.constants.count
        groups = offset.deviations?.count ?? 0
        products = .allocate(capacity: termCount + 1)
        products.initialize(repeating: 1, count: termCount + 1)
        deviations = .allocate(capacity: max(1, groups * effects * (termCount + 1)))
        sums = .allocate(capacity: max(1, 2 * groups))
        for (group, own) in (offset.deviations ?? []).enumerated() {
            for (place, value) in own.enumerated() { deviations[place * groups + group] = value }
        }
        inputs = .allocate(capacity: max(1, inputCount))
        values = .allocate(capacity: max(1, inputCount))
        places = .allocate(capacity: max(1, termCount))
        coefficients = .allocate(capacity: max(1, termCount * effects))
        constants = .allocate(capacity: max(1, effects))
        for (index, input) in offset.inputs.enumerated() { (inputs + index).initialize(to: input) }
        for (index, term) in offset.terms.enumerated() {
            places[index] = (Int32(term.first), Int32(term.second ?? -1))
            for effect in 0..<effects { coefficients[effect * termCount + index] = term.coefficients[effect] }
        }
        for (effect, value) in offset.constants.enumerated() { constants[effect] = value }
    }

    deinit {
        inputs.deallocate()
        values.deallocate()
        places.deallocate()
        coefficients.deallocate()
        constants.deallocate()
        products.deallocate()
        deviations.deallocate()
        sums.deallocate()
    }

    /// Reads a row; then `value(_:)` is about it.
    @inline(__always)
    @discardableResult
    package func prepared(_ row: UnsafePointer<Float>) -> OffsetEvaluator {
        for index in 0..<inputCount { values[index] = inputs[index].value(row[inputs[index].feature]) }
        for index in 0..<termCount {
            let (first, second) = places[index]
            products[index] = second < 0 ? values[Int(first)] : values[Int(first)] * values[Int(second)]
        }
        return self
    }

    @inline(__always)
    package func value(_ effect: Int) -> Double {
        var sum = constants[effect]
        let own = coefficients + effect * termCount
        for index in 0..<termCount { sum += own[index] * products[index] }
        return sum
    }

    /// Whether the offset has a variance of its own.
    package var isUncertain: Bool { groups > 0 }

    /// The covariance of the offsets of two effects; of one with itself its variance.
    @inline(__always)
    package func covariance(_ a: Int, _ b: Int) -> Double {
        add(a, to: sums)
        if a != b { add(b, to: sums + groups) }
        let other = a == b ? sums : sums + groups
        var total = 0.0
        for group in 0..<groups { total += sums[group] * other[group] }
        return total
    }

    private func add(_ effect: Int, to sums: UnsafeMutablePointer<Double>) {
        sums.update(repeating: 0, count: groups)
        let width = termCount + 1
        for index in 0..<width {
            let (own, product) = (deviations + (effect * width + index) * groups, products[index])
            for group in 0..<groups { sums[group] += own[group] * product }
        }
    }
}
