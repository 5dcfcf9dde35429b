import Base
import Foundation
import Tabular

/// Which columns of a CSV are which, and what its treatment labels mean.
///
/// A file with columns `arm` and `arm_propensity` is one of `impactiq rows`: those columns are read, and `conversion`,
/// `experiment` and `censored` where they are there.
package struct TrialColumns: Sendable, Equatable {
    /// The predicted effect; nil: `uplift:OUTCOME:ARM` of the treated arm when there is one, else `uplift`.
    package var score: String?
    /// nil: `treatment`; of rows `arm`.
    package var treatment: String?
    /// nil: `outcome`; of rows `conversion`.
    package var outcome: String?
    package var weight: String?
    /// Whether a weight says how many people a row stands for: the row is taken as often, and no weight is left.
    package var repeatsRows = false
    /// The probability of being treated: a column, or a number that holds for every row. nil: a column named `propensity`
    /// is read when there is one. A column named `arm_propensity` is that of the arm taken, and read as such.
    package var propensity: String?
    /// The probability of the arm taken. nil: a column named `arm_propensity` is read when there is one.
    package var armPropensity: String?
    /// nil: the score's own, `std_error` of `uplift` and `std_error:OUTCOME:ARM` of `uplift:OUTCOME:ARM`, when there is one.
    package var standardError: String?
    /// The label that means treated. nil: 1, true, yes, treated, treatment.
    package var treated: String?
    /// The label that means control. nil: 0, false, no, control, none; with `treated` given, the one other label.
    package var control: String?
    /// Rows of one value belong together.
    package var cluster: String?
    /// Names the experiment of a row. nil: a column named `experiment` is read when there is one.
    package var experimentColumn: String?
    /// Only rows of this experiment.
    package var experiment: String?
    /// A second score, compared with the first.
    package var challenger: String?
    /// What was known before the treatment; numbers.
    package var covariates: [String] = []
    /// The cost that a row brought.
    package var cost: String?
    /// Leave out rows in which a value that is read is missing, instead of refusing the file.
    package var skipsMissing = false

    package init() {}
}

/// A trial read from a file, and what was left out of it.
package struct TrialReading: Sendable {
    package let trial: Trial
    /// The name of the file.
    package let source: String
    /// What was read, defaults filled in.
    package let columns: TrialColumns
    package let treatedLabel: String
    package let controlLabel: String
    /// Records in the file.
    package let rowsRead: Int
    /// Rows of arms that are neither, by label, ascending.
    package let otherArms: [(label: String, rows: Int)]
    /// Rows left out because a value was missing.
    package let rowsMissing: Int
    /// The challenger, covariates, costs and all arms, as far as the columns name them.
    package let extras: EvaluationExtras
    /// What a reader should know of the rows.
    package let remarks: [String]
}

/// Reads a trial from a CSV (RFC 4180, with a heading), record by record.
///
/// Memory: the columns that are read, and one buffer.
package enum TrialReader {
    /// - Parameter path: `-` is standard input.
    /// - Throws: `csv_…` naming file, line and column; `treatment_labels` when labels are unclear; what `Trial` throws.
    package static func read(_ path: String, _ columns: TrialColumns = TrialColumns()) throws(ImpactError)
        -> TrialReading
    {
        let table = try CSVTable(path: path)
        var builder = try TrialBuilder(table, columns)
        var rows = 0
        while try table.advance() {
            rows += 1
            try builder.add(table)
        }
        return try builder.finish(rows: rows)
    }
}
