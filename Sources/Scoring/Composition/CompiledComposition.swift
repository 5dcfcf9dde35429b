import Statistics

/// A composition ready for the hot path: flat arrays, no allocation. One a scorer.
final class CompiledComposition {
    let composition: Composition
    let partCount: Int
    /// For each part the file's forest, or −1 for a linear part.
    let forestOfPart: [Int]
    /// For each causal forest of the file its number among all forests.
    let forestOfCausal: [Int]
    let features: Int
    let featureStride: Int
    let preprocessing: UnsafeMutableBufferPointer<Preprocessing.FlatInput>

    private struct FlatTerm {
        let coefficient: Double
        let first: Int
        /// −1: one feature.
        let second: Int
    }
    private struct FlatLinear {
        let intercept: Double
        let terms: Range<Int>
        let isLogistic: Bool
        let hasCentres: Bool
        let missingIsCentre: Bool
        /// Where its centres, scales and covariance stand; −1: no covariance.
        let centres: Int
        let covariance: Int
    }
    private struct FlatProduct {
        let weight: Double
        let parts: SIMD4<Int32>
        let count: Int
    }
    private let terms: UnsafeMutableBufferPointer<FlatTerm>
    private let numbers: UnsafeMutableBufferPointer<Double>
    /// One a part; nil for other parts.
    private let linears: [FlatLinear?]
    private let products: UnsafeMutableBufferPointer<FlatProduct>
    private let productsOfEffect: UnsafeMutableBufferPointer<Range<Int>>
    /// For each effect the part whose standard error is its own, and the weight; −1: none.
    private let errorPart: UnsafeMutableBufferPointer<(part: Int, weight: Double)>
    /// Terms of a linear part with centres applied, for its variance.
    private let scratch: UnsafeMutableBufferPointer<Double>

    init(_ composition: Composition, features: Int, hasErrors: (Int) -> Bool) {
        self.composition = composition
        self.features = features
        featureStride = (features + 15) / 16 * 16
        partCount = composition.parts.count
        preprocessing = Self.copy(composition.preprocessing?.flat ?? [])
        var (forest, causal): (Int, [Int: Int]) = (0, [:])
        var forests: [Int] = []
        var (flatTerms, flatNumbers): ([FlatTerm], [Double]) = ([], [])
        var linears: [FlatLinear?] = []
        var widest = 0
        for part in composition.parts {
            switch part {
            case .trees:
                forests.append(forest)
                linears.append(nil)
                forest += 1
            case .causal(let part):
                if causal[part.forest] == nil {
                    causal[part.forest] = forest
                    forest += 1
                }
                forests.append(causal[part.forest] ?? 0)
                linears.append(nil)
            case .linear(let part):
                forests.append(-1)
                let start = flatTerms.count
                for term in part.terms {
                    flatTerms.append(
                        FlatTerm(
                            coefficient: term.coefficient, first: term.features[0],
                            second: term.features.count > 1 ? term.features[1] : -1))
                }
                let hasCentres = part.centres != nil || part.scales != nil
                let centres = flatNumbers.count
                if hasCentres {
                    flatNumbers += part.centres ?? .init(repeating: 0, count: features)
                    flatNumbers += part.scales ?? .init(repeating: 1, count: features)
                }
                let covariance = part.covariance == nil ? -1 : flatNumbers.count
                flatNumbers += part.covariance ?? []
                widest = max(widest, part.terms.count + 1)
                linears.append(
                    FlatLinear(
                        intercept: part.intercept, terms: start..<flatTerms.count, isLogistic: part.link == .logistic,
                        hasCentres: hasCentres, missingIsCentre: part.missingIsCentre, centres: centres,
                        covariance: covariance))
            }
        }
        forestOfPart = forests
        forestOfCausal = (0..<composition.causalForests).map { causal[$0] ?? 0 }
        terms = Self.copy(flatTerms)
        numbers = Self.copy(flatNumbers)
        self.linears = linears
        scratch = Self.copy([Double](repeating: 0, count: widest))
        var (products, ranges): ([FlatProduct], [Range<Int>]) = ([], [])
        var errors: [(part: Int, weight: Double)] = []
        for effect in composition.effects {
            let start = products.count
            for term in effect.terms {
                var parts = SIMD4<Int32>()
                for (place, part) in term.parts.enumerated() { parts[place] = Int32(part) }
                products.append(FlatProduct(weight: term.weight, parts: parts, count: term.parts.count))
            }
            ranges.append(start..<products.count)
            let uncertain = effect.terms.filter { term in term.parts.contains(where: hasErrors) }
            if uncertain.count == 1, uncertain[0].parts.count == 1 {
                errors.append((uncertain[0].parts[0], abs(uncertain[0].weight)))
            } else {
                errors.append((-1, 0))
            }
        }
        self.products = Self.copy(products)
        productsOfEffect = Self.copy(ranges)
        errorPart = Self.copy(errors)
    }

    deinit {
        preprocessing.deallocate()
        terms.deallocate()
        numbers.deallocate()
        products.deallocate()
        productsOfEffect.deallocate()
        errorPart.deallocate()
        scratch.deallocate()
    }

    private static func copy<Element>(_ elements: [Element]) -> UnsafeMutableBufferPointer<Element> {
        let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
        _ = buffer.initialize(from: elements)
        return buffer
    }

    /// A feature of a linear part: less its centre, times its scale.
    @inline(__always)
    private func value(_ part: FlatLinear, _ row: UnsafePointer<Float>, _ feature: Int) -> Double {
        let x = Double(row[feature])
        guard part.hasCentres else { return part.missingIsCentre && x.isNaN ? 0 : x }
        if part.missingIsCentre, x.isNaN { return 0 }
        return (x - numbers[part.centres + feature]) * numbers[part.centres + features + feature]
    }

    /// The value of a linear part and its standard error (NaN without a covariance).
    @inline(__always)
    func linear(_ index: Int, _ row: UnsafePointer<Float>) -> (value: Double, error: Double) {
        guard let part = linears[index] else { return (.nan, .nan) }
        var sum = part.intercept
        let keeps = part.covariance >= 0
        for (place, term) in part.terms.enumerated() {
            var x = value(part, row, terms[term].first)
            if terms[term].second >= 0 { x *= value(part, row, terms[term].second) }
            if keeps { scratch[place] = x }
            sum += terms[term].coefficient * x
        }
        var error = Double.nan
        if keeps {
            let size = part.terms.count + 1
            scratch[size - 1] = 1
            var variance = 0.0
            for i in 0..<size {
                var product = 0.0
                for j in 0..<size { product += numbers[part.covariance + i * size + j] * scratch[j] }
                variance += scratch[i] * product
            }
            error = (variance > 0 ? variance : 0).squareRoot()
        }
        return (part.isLogistic ? Logistic.sigmoid(sum) : sum, error)
    }

    /// What leaf sums become.
    @inline(__always)
    func trees(_ index: Int, sum: Double) -> Double {
        guard case .trees(let part) = composition.parts[index] else { return .nan }
        let margin = sum + part.base
        return part.link == .logistic ? Logistic.sigmoid(margin) : margin
    }

    /// An effect from the parts' values and errors, which stand `stride` apart.
    @inline(__always)
    func effect(
        _ index: Int, _ values: UnsafePointer<Double>, _ errors: UnsafePointer<Double>, stride: Int
    ) -> Estimate {
        var sum = 0.0
        for product in productsOfEffect[index] {
            let term = products[product]
            var value = term.weight
            for place in 0..<term.count { value *= values[Int(term.parts[place]) * stride] }
            sum += value
        }
        let (part, weight) = errorPart[index]
        return Estimate(effect: sum, standardError: part < 0 ? .nan : errors[part * stride] * weight)
    }
}
