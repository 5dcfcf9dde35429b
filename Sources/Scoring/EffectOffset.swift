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

    package init(inputs: [Input], constants: [Double], terms: [Term]) {
        self.inputs = inputs
        self.constants = constants
        self.terms = terms
    }

    /// The offset of each effect of a row. Sums run in the order of the terms, everywhere: the same bits.
    package func values(_ row: UnsafePointer<Float>) -> [Double] {
        var values = [Double](repeating: 0, count: constants.count)
        let evaluator = OffsetEvaluator(self)
        for effect in values.indices { values[effect] = evaluator.prepared(row).value(effect) }
        return values
    }

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
    private let inputCount: Int
    private let termCount: Int

    package init(_ offset: EffectOffset) {
        self.offset = offset
        inputCount = offset.inputs.count
        termCount = offset.terms.count
        let effects = offset.constants.count
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
    }

    /// Reads a row; then `value(_:)` is about it.
    @inline(__always)
    @discardableResult
    package func prepared(_ row: UnsafePointer<Float>) -> OffsetEvaluator {
        for index in 0..<inputCount { values[index] = inputs[index].value(row[inputs[index].feature]) }
        return self
    }

    @inline(__always)
    package func value(_ effect: Int) -> Double {
        var sum = constants[effect]
        let own = coefficients + effect * termCount
        for index in 0..<termCount {
            let (first, second) = places[index]
            let product = second < 0 ? values[Int(first)] : values[Int(first)] * values[Int(second)]
            sum += own[index] * product
        }
        return sum
    }
}
