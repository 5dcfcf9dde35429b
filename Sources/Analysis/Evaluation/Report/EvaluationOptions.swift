import Statistics

/// What a report computes.
package struct EvaluationOptions: Sendable, Equatable {
    /// The shares k of uplift@k, each strictly between 0 and 1.
    package var fractions = [0.1, 0.2, 0.3, 0.5]
    /// Bins of the ranking: 10 are deciles.
    package var bins = 10
    /// The confidence level of every interval, strictly between 0 and 1.
    package var level = 0.95
    /// Bootstrap replicates for the intervals of Qini, AUUC and the curves; 0 leaves them out.
    package var replicates = 200
    /// Of the bootstrap and of cross-fitting.
    package var seed: UInt64 = 1
    package var weightMeaning = WeightMeaning.sampling
    /// Whether rows are weighted by the inverse of their propensities when those differ from row to row.
    package var adjustsForPropensity = true
    /// What one treatment costs, by arm; one without a name (the empty text) is that of the treated arm.
    package var costs: [String: Double] = [:]
    /// What one unit of the outcome is worth, in the unit of the costs.
    package var outcomeValue = 1.0
    /// Score above which the targeting rule treats.
    package var threshold = 0.0
    /// 0: one per processor. Never changes a number.
    package var threads = 0

    package init() {}

    var bootstrap: Bootstrap { Bootstrap(replicates: replicates, seed: seed, level: level) }
}

/// What a report may know beyond the trial itself; every part is optional.
package struct EvaluationExtras: Sendable {
    /// A second score of the same rows, to be compared with the first.
    package var challenger: (name: String, score: [Double])?
    /// What was known of each row before its treatment: one array a covariate, NaN is missing.
    package var covariates: (names: [String], columns: [[Double]]) = ([], [])
    /// The cost that each row brought, when costs are measured.
    package var cost: [Double]?
    /// All arms, when there are several scores.
    package var arms: ArmTrial?
    /// Names of the trial's experiments, by number.
    package var experiments: [String] = []
    /// What the trial's clusters are.
    package var clusterName: String?
    package var scoreName = "uplift"

    package init() {}
}

/// Where the numbers come from; printed as it is given.
package struct EvaluationProvenance: Sendable, Equatable {
    /// Heads the report.
    package var title = "Uplift evaluation"
    /// The file or the topic range, and what identifies its content.
    package var data: String?
    package var dataSHA256: String?
    package var treatedLabel: String?
    package var controlLabel: String?
    package var outcomeName: String?
    package var model: String?
    package var modelVersion: String?
    package var modelSHA256: String?
    /// The command that made the report, and when; the library asks no clock.
    package var command: String?
    package var time: String?
    /// Rows left out and other remarks of the reader.
    package var remarks: [String] = []

    package init() {}

    /// What a reader knows of its file.
    package init(_ reading: TrialReading) {
        data = reading.source
        treatedLabel = reading.treatedLabel
        controlLabel = reading.controlLabel
        outcomeName = reading.columns.outcome
        for (label, rows) in reading.otherArms { remarks.append("\(rows) rows of arm '\(label)' are left out") }
        if reading.rowsMissing > 0 { remarks.append("\(reading.rowsMissing) rows with missing values are left out") }
        remarks += reading.remarks
    }
}
