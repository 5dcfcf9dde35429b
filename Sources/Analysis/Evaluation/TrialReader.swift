import Base
import Foundation
import Tabular

/// Which columns of a CSV are which, and what its treatment labels mean.
package struct TrialColumns: Sendable, Equatable {
    /// The predicted effect.
    package var score = "uplift"
    package var treatment = "treatment"
    package var outcome = "outcome"
    package var weight: String?
    /// nil: a column named `propensity` is read when there is one.
    package var propensity: String?
    /// nil: a column named `std_error` is read when there is one.
    package var standardError: String?
    /// The label that means treated. nil: 1, true, yes, treated, treatment.
    package var treated: String?
    /// The label that means control. nil: 0, false, no, control, none; with `treated` given, the one other label.
    package var control: String?
    /// Leave out rows in which a value that is read is missing, instead of refusing the file.
    package var skipsMissing = false

    package init() {}
}

/// A trial read from a file, and what was left out of it.
package struct TrialReading: Sendable {
    package let trial: Trial
    /// The name of the file.
    package let source: String
    package let columns: TrialColumns
    package let treatedLabel: String
    package let controlLabel: String
    /// Records in the file.
    package let rowsRead: Int
    /// Rows of arms that are neither, by label, ascending.
    package let otherArms: [(label: String, rows: Int)]
    /// Rows left out because a value was missing.
    package let rowsMissing: Int
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
