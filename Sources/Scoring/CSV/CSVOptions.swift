import Tabular

/// How `CSVScorer` reads and writes.
package struct CSVOptions: Sendable {
    package enum Format: String, Sendable, CaseIterable {
        case csv
        /// One JSON object a line.
        case jsonLines = "jsonl"
    }

    /// What of the input stands before the estimates.
    package enum Columns: String, Sendable, CaseIterable {
        /// Every column of the input, as it was (JSON lines: as text under `input`).
        case all
        /// None of it; JSON lines hold the row's number.
        case minimal
    }

    package var format: Format = .csv
    package var columns: Columns = .all
    /// How the input's texts are written.
    package var field = CSVField.plain
    /// The level of the interval, and the effect above which a customer is worth treating.
    package var level = 0.95
    package var threshold = 0.0
    /// Writes the covariances of the treatments' effects too; as slow as scoring one row at a time.
    package var covariances = false
    /// Threads that read, score and write; 0: one a core.
    package var threads = 0
    /// A longer record is refused (a quote that is never closed makes the rest of a file one record).
    package var recordBytes = 1 << 20

    package init() {}
}

/// What `CSVScorer` reports while it works.
package struct CSVProgress: Sendable, Equatable {
    package var rows: Int
    package var bytes: Int
    /// nil when the input is a pipe.
    package var totalBytes: Int?
}

/// What a run did.
package struct CSVSummary: Sendable, Equatable {
    package var rows: Int
    package var bytes: Int
    /// Rows by decision.
    package var treat: Int
    package var suppress: Int
    package var uncertain: Int
    /// Columns of the input that are not features of the model; they are carried along.
    package var otherColumns: [String]
}
