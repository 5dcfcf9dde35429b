/// One number that is read from each row of a file.
package struct RowField: Sendable, Equatable {
    package enum Reading: Sendable, Equatable {
        /// The column's number.
        case number
        /// 1 when the column's text is this one, else 0.
        case equals(String)
        /// The number of the text among `RowTable.levels` of the field, in the order of their appearance. With `only`, just
        /// these, in their order; a row with another text is left out.
        case level(only: [String]?)
    }

    /// Which numbers are accepted.
    package enum Accepted: Sendable, Equatable {
        case all
        /// Above 0 and below 1.
        case chances
        /// Weights: 0 leaves the row out.
        case notNegative

        /// What is wrong with a number; nil: nothing.
        func fault(_ value: Float) -> String? {
            switch self {
            case .all: nil
            case .chances: value > 0 && value < 1 ? nil : "must be above 0 and below 1"
            case .notNegative: value >= 0 ? nil : "must not be negative"
            }
        }
    }

    /// What a missing value does.
    package enum Missing: Sendable, Equatable {
        /// It is NaN.
        case keep
        /// The row is left out, and counted.
        case dropRow
        /// An error with line and column.
        case refuse
    }

    /// The name in the table that is made.
    package var name: String
    /// The column of the file.
    package var column: String
    package var reading: Reading
    package var missing: Missing
    /// What the field is, for messages: `feature`, `outcome`; and the option that names it.
    package var role: String
    package var option: String
    package var accepted = Accepted.all
    /// What is taken from a number before it becomes a float32: digits of numbers that are large and alike would be lost.
    package var origin = 0.0
    /// The most texts that a field read as a level may have.
    package var mostLevels = RowTable.mostLevels

    package init(
        _ name: String, column: String? = nil, _ reading: Reading = .number, missing: Missing = .keep,
        role: String = "feature", option: String = "--feature"
    ) {
        self.name = name
        self.column = column ?? name
        self.reading = reading
        self.missing = missing
        self.role = role
        self.option = option
    }
}
