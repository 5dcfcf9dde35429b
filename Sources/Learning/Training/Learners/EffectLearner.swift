import Base
import Foundation
import Scoring
import Trees

/// Meta-learners: effects out of models of the outcome, all on the same boosted trees.
package enum EffectLearner: String, Sendable, CaseIterable {
    /// One model with the arm as a feature; the effect is the difference between its predictions.
    case s = "s-learner"
    /// One model an arm.
    case t = "t-learner"
    /// Imputed effects from each arm's model, weighed by the propensity (Künzel and others 2019).
    case x = "x-learner"
    /// Residual on residual (Nie and Wager 2021).
    case r = "r-learner"
    /// A regression of doubly robust scores (Kennedy 2020).
    case dr = "dr-learner"
    /// A linear effect with errors and p-values (Chernozhukov and others 2018).
    case linear = "linear-dml"
    /// The outcome itself, whatever the treatment: what a learner must beat to be worth its name.
    case response

    /// Whether it can be trained for a treatment that is a number.
    package var takesNumbers: Bool { self == .r || self == .linear || self == .response }
}

/// A learner fitted on some rows: its models, and how effects follow from them.
package struct FittedLearner: Sendable {
    package var learner: EffectLearner
    /// Models of trees, in the order of the composition's parts.
    package var ensembles: [TreeEnsemble]
    package var composition: Composition
    /// For the linear learner, by effect: its coefficients, per unit of each feature.
    package var coefficients: [[LinearCoefficient]]
    /// By effect, by row of the matrix asked for.
    let predict: @Sendable ([UInt32]) -> [[Float]]

    package func effects(rows: [UInt32]) -> [[Float]] { predict(rows) }

    package var treeCount: Int { ensembles.reduce(0) { $0 + $1.trees.count } }
}

/// A coefficient of the linear learner.
package struct LinearCoefficient: Sendable {
    package var name: String
    /// For one text of a column, the feature of the text that it is compared with.
    package var base: String?
    package var estimate: Double
    package var standardError: Double
    /// Of the feature; nil for the average.
    package var deviation: Double?
    /// What it is called in a table.
    package var label: String { name + (base.map { " (against \($0))" } ?? "") }
    package var pValue: Double { erfc(abs(estimate / standardError) / 2.0.squareRoot()) }
}

extension Composition {
    /// The compositions of several outcomes as one; effects treatment-major.
    static func joined(_ all: [Composition], effects count: Int) -> Composition {
        guard all.count > 1 else { return all[0] }
        var (parts, starts): ([Part], [Int]) = ([], [])
        for composition in all {
            starts.append(parts.count)
            parts += composition.parts
        }
        var effects: [Effect] = []
        for effect in 0..<count {
            for (composition, start) in zip(all, starts) {
                effects.append(
                    Effect(
                        composition.effects[effect].terms.map { Effect.Term($0.weight, $0.parts.map { $0 + start }) }))
            }
        }
        return Composition(kind: all[0].kind, parts: parts, effects: effects)
    }
}
