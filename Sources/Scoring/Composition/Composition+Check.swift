import Base

extension Composition {
    // Bounds that keep a hostile file from asking for more than any model needs.
    static let mostParts = 1024
    static let mostTerms = 1 << 16
    static let mostTermParts = 4

    /// Checks everything that can be wrong with a composition by itself.
    ///
    /// - Parameters:
    ///   - features: that the parts see (after preprocessing).
    ///   - effects: treatments × outcomes.
    func check(inputs: Int, features: Int, effects count: Int, outcomes: Int) throws(ImpactError) {
        guard (1...Self.mostParts).contains(parts.count), effects.count == count else {
            throw fault("has \(parts.count) parts and \(effects.count) effects, of \(count) effects named")
        }
        if let preprocessing {
            try preprocessing.check(inputs: inputs)
            guard preprocessing.outputCount == features else {
                throw fault("has \(features) features, but its preprocessing makes \(preprocessing.outputCount)")
            }
        } else if inputs != features {
            throw fault("has \(features) features for \(inputs) inputs")
        }
        for part in parts {
            switch part {
            case .trees(let trees):
                guard trees.base.isFinite else { throw fault("has a base that is not finite") }
            case .linear(let linear): try check(linear, features)
            case .causal(let causal):
                guard (0..<ModelFormat.maximumForests).contains(causal.forest),
                    (0..<ModelFormat.maximumParameters).contains(causal.effect)
                else { throw fault("names a causal forest that cannot be") }
            }
        }
        for effect in effects {
            guard !effect.terms.isEmpty, effect.terms.count <= Self.mostTerms else {
                throw fault("has an effect without terms, or with too many")
            }
            for term in effect.terms {
                guard term.weight.isFinite, (1...Self.mostTermParts).contains(term.parts.count),
                    term.parts.allSatisfy(parts.indices.contains)
                else { throw fault("has an effect of parts that are not there") }
            }
        }
        for values in [thresholds, cutoffs] {
            guard values.map({ $0.count == outcomes && $0.allSatisfy { (0...1).contains($0) } }) ?? true else {
                throw fault("must have a threshold from 0 to 1 for each outcome")
            }
        }
        for number in 0..<causalForests where !forestSlots.contains(where: { $0.causal == number }) {
            throw fault("names causal forests with gaps")
        }
    }

    private func check(_ linear: Linear, _ features: Int) throws(ImpactError) {
        guard linear.intercept.isFinite, linear.terms.count <= Self.mostTerms else {
            throw fault("has a linear part without a finite intercept, or with too many terms")
        }
        for term in linear.terms {
            guard term.coefficient.isFinite, (1...2).contains(term.features.count),
                term.features.allSatisfy((0..<features).contains)
            else { throw fault("has a linear term of features that are not there, or a coefficient not finite") }
        }
        for values in [linear.centres, linear.scales] {
            guard values.map({ $0.count == features && $0.allSatisfy(\.isFinite) }) ?? true else {
                throw fault("must have one finite centre and scale per feature")
            }
        }
        let size = linear.terms.count + 1
        guard linear.covariance.map({ $0.count == size * size && $0.allSatisfy(\.isFinite) }) ?? true else {
            throw fault("has a covariance that does not fit its terms")
        }
    }

    private func fault(_ what: String) -> ImpactError {
        ModelFormat.refusal("invalid_model", "the composition \(what)")
    }
}
