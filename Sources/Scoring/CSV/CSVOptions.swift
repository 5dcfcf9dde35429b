/// How `CSVScorer` reads and writes.
public struct CSVOptions: Sendable {
    public enum Format: String, Sendable, CaseIterable {
        case csv
        /// One JSON object a line.
        case jsonLines = "jsonl"
    }

    /// What of the input stands before the estimates.
    public enum Columns: String, Sendable, CaseIterable {
        /// Every column of the input, as it was (JSON lines: as text under `input`).
        case all
        /// None of it; JSON lines hold the row's number.
        case minimal
    }

    public var format: Format = .csv
    public var columns: Columns = .all
    /// The level of the interval, and the effect above which a customer is worth treating.
    public var level = 0.95
    public var threshold = 0.0
    /// Writes the covariances of the treatments' effects too; as slow as scoring one row at a time.
    public var covariances = false
    /// Threads that read, score and write; 0: one a core.
    public var threads = 0
    /// A longer record is refused (a quote that is never closed makes the rest of a file one record).
    public var recordBytes = 1 << 20

    public init() {}
}

/// What `CSVScorer` reports while it works.
public struct CSVProgress: Sendable, Equatable {
    public var rows: Int
    public var bytes: Int
    /// nil when the input is a pipe.
    public var totalBytes: Int?
}

/// What a run did.
public struct CSVSummary: Sendable, Equatable {
    public var rows: Int
    public var bytes: Int
    /// Rows by decision.
    public var treat: Int
    public var suppress: Int
    public var uncertain: Int
    /// Columns of the input that are no feature of the model; they are carried along.
    public var otherColumns: [String]
}
