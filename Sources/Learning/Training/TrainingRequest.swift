import Features
import Rows

/// What a user asks the trainer for; whatever is nil is found out from the file.
package struct TrainingRequest: Sendable {
    package var rows: String
    package var treatment: String?
    package var control: String?
    /// Arms to compare with the control; empty: all.
    package var arms: [String] = []
    /// The treatment is a number even when it has few values.
    package var isContinuous = false
    package var outcomes: [String] = []
    /// A column, a number, numbers of the arms with commas between, `estimate`, or nil.
    package var propensity: String?
    /// The propensity column is the probability of treatment, not of the row's own arm.
    package var propensityIsOfTreatment = false
    /// Treatment and outcome are residuals already.
    package var areResiduals = false
    /// Names for the effects and outcomes in the model; empty: those of arms and columns.
    package var effectNames: [String] = []
    package var outcomeNames: [String] = []
    package var weight: String?
    package var cluster: String?
    package var ignored: [String] = []
    /// Columns that name a row; no features either.
    package var ids: [String] = []
    /// Columns whose values are texts, also when all of them are written as numbers.
    package var categories: [String] = []
    package var specification: FeatureSpecification?
    /// Feature columns by name; empty: all that are nothing else.
    package var features: [String] = []
    /// Columns of texts that become one feature each: the rank of the text by how frequent it is.
    package var ordered: [String] = []

    package init(rows: String) { self.rows = rows }
}
