/// What response models say: the outcome itself instead of an effect on it.
extension Model {
    /// What a response model's prediction of an outcome advises: `treat` above its ad threshold (above `threshold` when it
    /// is not a probability).
    @inline(__always)
    package func responseDecision(_ prediction: Double, outcome: Int, threshold: Double) -> Decision {
        if prediction.isNaN { return .uncertain }
        return prediction > (predictsProbabilities ? adThreshold(outcome: outcome) : threshold) ? .treat : .suppress
    }

    /// `probability` or `prediction`: what a response model's number is called in its outputs.
    package var responseName: String { predictsProbabilities ? "probability" : "prediction" }

    /// The probability above which a customer is shown an ad for an outcome.
    package func adThreshold(outcome: Int) -> Double { composition?.thresholds?[outcome] ?? Self.usualAdThreshold }

    package static let usualAdThreshold = 0.7

    /// How the model did on rows held out of training: a JSON object as text; nil when nothing is known.
    package var metrics: String? { composition?.metrics }

    /// The texts of a feature that is a category, in the order of their codes; nil for a number.
    package func levels(feature: Int) -> [String]? { categories[feature]?.texts }

    /// The value of a category's text in a row: its code, or the one that stands for everything unknown; nil when the
    /// feature is a number.
    package func code(feature: Int, text: String) -> Float? { categories[feature]?.code(of: text) }

    /// Whether a row without a value of the feature still has an estimate.
    package func acceptsMissing(feature: Int) -> Bool {
        if missingValues == .route { return true }
        guard let input = composition?.preprocessing?.inputs[feature] else { return false }
        return input.fill != nil || input.oneHot
    }
}

extension Composition {
    /// Whether every effect is one part that is a probability.
    var givesProbabilities: Bool {
        effects.allSatisfy { effect in
            effect.terms.count == 1 && effect.terms[0].parts.count == 1 && effect.terms[0].weight == 1
                && parts[effect.terms[0].parts[0]].isProbability
        }
    }
}

extension Composition.Part {
    /// By its link, or because its trees say so.
    var isProbability: Bool {
        switch self {
        case .trees(let trees): trees.link == .logistic || trees.isProbability == true
        case .linear(let linear): linear.link == .logistic
        case .causal: false
        }
    }
}
