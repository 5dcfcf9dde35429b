import Base
import Features
import Rows

/// What the columns of a file of rows are to training.
package struct TrainingPlan: Sendable, Equatable {
    /// One feature of the model.
    package struct Feature: Sendable, Equatable {
        package var name: String
        package var field: RowField
    }

    package var treatment: String
    /// Arms by name, the control first; nil: the treatment is a number.
    package var arms: [String]?
    package var outcomes: [String]
    package var propensity: Propensity
    package var weight: String?
    package var cluster: String?
    package var features: [Feature]
    /// The specification that computes the features from events; nil: the model scores rows only.
    package var specification: FeatureSpecification?
    /// Rows whose outcome window was not over are left out by this column.
    package var censored: String?
    /// Columns of the file that are nothing to the model, and why.
    package var ignored: [(column: String, why: String)]
    /// What a reader should know of the choices made.
    package var notes: [String]

    /// What is taken from the numbers of a column, so that their differences keep their digits.
    package var origins: [String: Double] = [:]
    /// Other names than the columns' for the effects and the outcomes of the model.
    package var effectNames: [String] = []
    package var outcomeNames: [String] = []

    /// How likely each row was to get its arm.
    package enum Propensity: Sendable, Equatable {
        /// Estimated from the features.
        case estimate
        /// The chances of the arms in order, the control's first.
        case constant([Double])
        /// A column with the probability of the arm that the row has.
        case ownArm(String)
        /// A column with the probability of the treatment (two arms).
        case treated(String)
        /// The mean of a treatment that is a number.
        case mean
        /// Treatment and outcome are residuals already.
        case residuals
    }

    package static func == (a: TrainingPlan, b: TrainingPlan) -> Bool {
        a.treatment == b.treatment && a.arms == b.arms && a.outcomes == b.outcomes && a.propensity == b.propensity
            && a.features == b.features && a.weight == b.weight && a.cluster == b.cluster
    }

    /// Names of the effects: arms other than the control, or the treatment.
    package var effects: [String] {
        if !effectNames.isEmpty { return effectNames }
        guard let arms else { return [treatment] }
        // An arm called 1 beside 0 says nothing; the column's name does.
        if arms.count == 2, Double(arms[1]) != nil { return [treatment] }
        return Array(arms.dropFirst())
    }

    /// The fields to read.
    package var fields: [RowField] {
        var fields: [RowField] = []
        if let censored {
            fields.append(RowField("\u{1}censored", column: censored, .level(only: ["0"]), missing: .dropRow))
        }
        var own =
            RowField(
                "\u{1}treatment", column: treatment, arms.map { .level(only: $0) } ?? .number, missing: .dropRow,
                role: "treatment", option: "--treatment")
        own.origin = arms == nil ? origins[treatment] ?? 0 : 0
        fields.append(own)
        for outcome in outcomes {
            var field = RowField(
                "\u{1}outcome:\(outcome)", column: outcome, missing: .dropRow, role: "outcome", option: "--outcome")
            field.origin = origins[outcome] ?? 0
            fields.append(field)
        }
        switch propensity {
        case .ownArm(let column), .treated(let column):
            var field = RowField(
                "\u{1}propensity", column: column, missing: .refuse, role: "propensity", option: "--propensity")
            field.accepted = .chances
            fields.append(field)
        default: break
        }
        if let weight {
            var field = RowField(
                "\u{1}weight", column: weight, missing: .refuse, role: "weight", option: "--weight")
            field.accepted = .notNegative
            fields.append(field)
        }
        if let cluster {
            fields.append(
                RowField(
                    "\u{1}cluster", column: cluster, .level(only: nil), missing: .refuse, role: "cluster",
                    option: "--cluster"))
        }
        return fields + features.map(\.field)
    }
}
