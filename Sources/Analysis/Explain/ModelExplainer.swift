import Base
import Scoring
import Statistics

/// What each feature adds to a model's numbers, whatever kind of model: a causal forest's effects (``EffectExplainer``), and
/// what follows from additive trees and linear parts, such as response models and most learners of effects.
///
/// Trees are explained by TreeSHAP over the covers of the background; a linear part by coefficient × deviation from the mean
/// of its training rows. A response model with a logistic link is explained in log odds, where it is a sum.
package struct ModelExplainer: Sendable {
    /// What the contributions add up to.
    package enum Scale: String, Sendable {
        case effect = "effect"
        case logOdds = "log_odds"
        case probability = "probability"
        case prediction = "prediction"

        /// In a sentence: adds to …
        package var words: String {
            switch self {
            case .effect: "the effect"
            case .logOdds: "the log odds"
            case .probability: "the probability"
            case .prediction: "the prediction"
            }
        }
    }

    private enum Part: Sendable {
        case trees(EnsembleExplainer)
        case linear(Int)
    }

    private enum Kind: Sendable {
        case forest(EffectExplainer)
        /// For each effect the parts that it adds up, by number, and their weights.
        case sums([[(weight: Double, part: Int)]], parts: [Int: Part])
    }

    private let model: Model
    private let kind: Kind
    /// One an effect of the model, in its order.
    package let scales: [Scale]

    /// - Parameters:
    ///   - background: rows that say how often each side of a split is taken, row-major with `stride` floats a row; without
    ///     any, each split is taken to send half of its rows to each side.
    ///   - threads: 0 is one per processor; never changes a number.
    /// - Throws: `not_explained` for a model that is not a sum of trees and linear parts.
    package init(
        _ model: Model, background: (rows: UnsafePointer<Float>, stride: Int, count: Int)? = nil, threads: Int = 0
    ) throws(ImpactError) {
        self.model = model
        guard let composition = model.composition else {
            kind = .forest(EffectExplainer(model, background: background, threads: threads))
            scales = .init(repeating: .effect, count: model.effectCount)
            return
        }
        let effects = try composition.effects.map { effect throws(ImpactError) in
            try Self.terms(effect, composition, model)
        }
        let columns = composition.preprocessing?.outputCount ?? model.featureCount
        let derived = background.map { given in
            (rows: Self.derived(given.rows, given.stride, given.count, model), count: given.count)
        }
        var (parts, forest): ([Int: Part], Int) = ([:], 0)
        for (number, part) in composition.parts.enumerated() {
            switch part {
            case .linear: parts[number] = .linear(number)
            case .causal: forest += 1
            case .trees(let trees):
                var decoded = model.decodedForest(forest)
                forest += 1
                if let derived {
                    decoded.trees = derived.rows.withUnsafeBufferPointer { rows in
                        guard let start = rows.baseAddress else { return Covers.even(decoded.trees) }
                        return Covers.counted(
                            decoded.trees, rows: start, stride: columns, count: derived.count, threads: threads)
                    }
                } else {
                    decoded.trees = Covers.even(decoded.trees)
                }
                parts[number] = .trees(
                    EnsembleExplainer(
                        decoded.trees, leaves: decoded.values, featureCount: columns, offset: trees.base))
            }
        }
        kind = .sums(effects.map(\.terms), parts: parts)
        scales = effects.map(\.scale)
    }

    /// The sum that an effect is, on the scale on which it is one.
    private static func terms(
        _ effect: Composition.Effect, _ composition: Composition, _ model: Model
    ) throws(ImpactError) -> (terms: [(weight: Double, part: Int)], scale: Scale) {
        func refusal(_ why: String) -> ImpactError {
            ImpactError(
                .badInput, code: "not_explained",
                "\(model.path) is of kind \(model.kind): \(why), so no sum of contributions says what each feature adds"
            )
        }
        func isLogistic(_ part: Composition.Part) -> Bool {
            switch part {
            case .trees(let trees): trees.link == .logistic
            case .linear(let linear): linear.link == .logistic
            case .causal: false
            }
        }
        var terms: [(weight: Double, part: Int)] = []
        for term in effect.terms {
            guard term.parts.count == 1 else { throw refusal("its effect multiplies the numbers of several models") }
            switch composition.parts[term.parts[0]] {
            case .causal: throw refusal("a causal forest is one of its parts")
            case .linear(let part) where part.terms.contains(where: { $0.features.count != 1 }):
                throw refusal("a linear part has products of features")
            default: terms.append((term.weight, term.parts[0]))
            }
        }
        let logistic = terms.filter { isLogistic(composition.parts[$0.part]) }
        guard logistic.isEmpty || (terms.count == 1 && terms[0].weight == 1) else {
            throw refusal("its effect is a difference of two probabilities")
        }
        if !logistic.isEmpty { return (terms, .logOdds) }
        guard model.isResponse else { return (terms, .effect) }
        return (terms, model.predictsProbabilities ? .probability : .prediction)
    }

    /// What one of the model's numbers is on the scale of its contributions.
    package func value(_ effect: Int, of explanation: Explanation) -> Double {
        scales[effect] == .logOdds ? Logistic.sigmoid(explanation.value) : explanation.value
    }

    /// Rows after the preprocessing.
    private static func derived(_ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int, _ model: Model) -> [Float] {
        let features = model.featureCount
        guard let preprocessing = model.composition?.preprocessing else {
            return (0..<count).flatMap { row in (0..<features).map { rows[row * stride + $0] } }
        }
        let columns = preprocessing.outputCount
        let flat = preprocessing.flat
        return [Float](unsafeUninitializedCapacity: count * columns) { out, used in
            flat.withUnsafeBufferPointer { flat in
                for row in 0..<count {
                    guard let start = out.baseAddress else { return }
                    Preprocessing.apply(flat, rows + row * stride, into: start + row * columns)
                }
            }
            used = count * columns
        }
    }

    /// Explains every number of each row, in the order of the model's effects.
    ///
    /// - Parameters:
    ///   - rows: row-major, `stride` floats per row; NaN is missing.
    ///   - threads: 0 is one per processor; never changes a number.
    /// - Returns: one list a row; nil for a row that has no estimate.
    package func explain(
        rows: UnsafePointer<Float>, stride: Int, count: Int, threads: Int = 0
    ) -> [[Explanation]?] {
        switch kind {
        case .forest(let explainer):
            return explainer.explain(rows: rows, stride: stride, count: count, threads: threads)
        case .sums(let effects, let parts): return sums(effects, parts, rows, stride, count, threads)
        }
    }

    private func sums(
        _ effects: [[(weight: Double, part: Int)]], _ parts: [Int: Part], _ rows: UnsafePointer<Float>, _ stride: Int,
        _ count: Int, _ threads: Int
    ) -> [[Explanation]?] {
        let features = model.featureCount
        let origin = model.composition?.preprocessing?.inputOfOutput ?? Array(0..<features)
        let columns = origin.count
        let table = Self.derived(rows, stride, count, model)
        let explained = parts.mapValues { part -> [Explanation] in
            switch part {
            case .trees(let explainer):
                let found = table.withUnsafeBufferPointer { table in
                    table.baseAddress.map {
                        explainer.explain(rows: $0, stride: columns, count: count, threads: threads)
                    } ?? []
                }
                return found.map { answer in
                    var own = [Double](repeating: 0, count: features)
                    for (column, value) in answer.contributions.enumerated() { own[origin[column]] += value }
                    return Explanation(base: answer.base, value: answer.value, contributions: own)
                }
            case .linear(let number):
                return (0..<count).map { row in
                    let own = (0..<features).map { rows[row * stride + $0] }
                    guard let found = model.linearContributions(part: number, row: own) else {
                        return Explanation(base: .nan, value: .nan, contributions: [])
                    }
                    return Explanation(
                        base: found.base, value: found.contributions.reduce(found.base, +),
                        contributions: found.contributions)
                }
            }
        }
        let refuses = model.missingValues == .refuse
        return (0..<count).map { row -> [Explanation]? in
            if refuses, (0..<columns).contains(where: { !table[row * columns + $0].isFinite }) { return nil }
            let answers = effects.map { terms in
                var sum = Explanation(base: 0, value: 0, contributions: .init(repeating: 0, count: features))
                for (weight, part) in terms {
                    guard let own = explained[part]?[row] else { continue }
                    sum.base += weight * own.base
                    sum.value += weight * own.value
                    for feature in own.contributions.indices {
                        sum.contributions[feature] += weight * own.contributions[feature]
                    }
                }
                return sum
            }
            return answers.allSatisfy(\.value.isFinite) ? answers : nil
        }
    }
}
