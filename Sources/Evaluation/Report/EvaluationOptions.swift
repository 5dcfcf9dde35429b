/// What a report computes.
public struct EvaluationOptions: Sendable, Equatable {
    /// The shares k of uplift@k, each strictly between 0 and 1.
    public var fractions = [0.1, 0.2, 0.3, 0.5]
    /// Bins of the ranking: 10 are deciles.
    public var bins = 10
    /// The confidence level of every interval, strictly between 0 and 1.
    public var level = 0.95
    /// Bootstrap replicates for the intervals of Qini, AUUC and the curves; 0 leaves them out.
    public var replicates = 200
    /// Of the bootstrap and of cross-fitting.
    public var seed: UInt64 = 1
    public var weightMeaning = WeightMeaning.sampling
    /// Whether rows are weighted by the inverse of their propensities when those differ from row to row.
    public var adjustsForPropensity = true
    /// Score above which the targeting rule treats.
    public var threshold = 0.0
    /// 0: one a processor. Never changes a number.
    public var threads = 0

    public init() {}
}

/// Where the numbers come from; printed as it is given.
public struct EvaluationProvenance: Sendable, Equatable {
    /// Heads the report.
    public var title = "Uplift evaluation"
    /// The file or the topic range, and what identifies its content.
    public var data: String?
    public var dataSHA256: String?
    public var treatedLabel: String?
    public var controlLabel: String?
    public var outcomeName: String?
    public var model: String?
    public var modelVersion: String?
    public var modelSHA256: String?
    /// The command that made the report, and when; the library asks no clock.
    public var command: String?
    public var time: String?
    /// Rows left out and other remarks of the reader.
    public var remarks: [String] = []

    public init() {}

    /// What a reader knows of its file.
    public init(_ reading: TrialReading) {
        data = reading.source
        treatedLabel = reading.treatedLabel
        controlLabel = reading.controlLabel
        outcomeName = reading.columns.outcome
        for (label, rows) in reading.otherArms { remarks.append("\(rows) rows of arm '\(label)' are left out") }
        if reading.rowsMissing > 0 { remarks.append("\(reading.rowsMissing) rows with missing values are left out") }
    }
}
