import Base
import Tabular

/// The columns of numbers that a trial reads: where each stands, what it must be, and what it is for.
struct TrialSlots {
    enum Role: Equatable {
        case score, outcome, weight, propensity, armPropensity, standardError, challenger, cost
        /// A covariate, by its place in the list.
        case covariate(Int)
        /// The score of an arm, by its place among the arms that have one.
        case armScore(Int)
    }

    struct Slot {
        let role: Role
        let index: Int
        let rule: String
        let holds: (Double) -> Bool
        /// A missing value is kept as NaN.
        var allowsMissing = false
    }

    private(set) var slots: [Slot] = []
    /// What was read, defaults filled in.
    private(set) var columns: TrialColumns
    /// Labels of the arms that have a score column of their own, in the order of the file.
    private(set) var scoredArms: [String] = []
    /// One probability of treatment for all rows.
    private(set) var constantPropensity: Double?
    /// Whether the score is the best arm's, and each arm's own is in a column `effects` that is not read.
    let isScoreOfBestArm: Bool
    /// A column `censored`, of rows whose outcome window was not over.
    let censored: Int?

    /// The column prefixes of a model with several effects: `uplift:OUTCOME:ARM`.
    private static let prefix = "uplift:"

    init(_ table: CSVTable, _ given: TrialColumns) throws(ImpactError) {
        var columns = given
        let names = table.columns
        let isRows = names.contains("arm") && names.contains("arm_propensity")
        func found(_ usual: String, _ ofRows: String) -> String {
            names.contains(ofRows) && !names.contains(usual) ? ofRows : usual
        }
        columns.treatment = given.treatment ?? (isRows ? "arm" : found("treatment", "arm"))
        columns.outcome = given.outcome ?? found("outcome", "conversion")
        censored = isRows ? names.firstIndex(of: "censored") : nil
        let arms = Self.armColumns(names, outcome: columns.outcome ?? "")
        scoredArms = arms.map(\.arm)
        if given.score == nil { columns.score = try Self.score(names, arms, columns, table.name) }
        let score = columns.score ?? "uplift"
        isScoreOfBestArm = given.score == nil && score == "uplift" && names.contains("effects")
        columns.standardError = given.standardError ?? Self.standardError(of: score, names)
        if given.propensity == "arm_propensity" {
            columns.propensity = nil
            columns.armPropensity = given.armPropensity ?? "arm_propensity"
        } else if given.propensity == nil, given.armPropensity == nil {
            if names.contains("propensity") {
                columns.propensity = "propensity"
            } else if names.contains("arm_propensity") {
                columns.armPropensity = "arm_propensity"
            }
        }
        if let text = columns.propensity, !names.contains(text), let value = Double(text) {
            guard value > 0, value < 1 else {
                throw ImpactError(
                    .usage, code: "invalid_option_value",
                    "--propensity \(text): a probability of treatment must be strictly between 0 and 1")
            }
            constantPropensity = value
        }
        columns.experimentColumn = given.experimentColumn ?? (names.contains("experiment") ? "experiment" : nil)
        if given.experiment != nil, columns.experimentColumn == nil {
            throw ImpactError(
                .badInput, code: "csv_column",
                "\(table.name) has no column 'experiment': name the one that tells experiments apart with "
                    + "--experiment-column")
        }
        self.columns = columns
        try Self.refuseSecondRoles(columns, score: score, table.name)

        try add(table, .score, score, "score", "--score", "a number") { _ in true }
        try add(table, .outcome, columns.outcome, "outcome", "--outcome", "a number") { _ in true }
        let repeats = columns.repeatsRows
        try add(
            table, .weight, columns.weight, "weight", "--weight",
            repeats ? "a whole number from 0 to a million, as a frequency must be" : "0 or more"
        ) { $0 >= 0 && (!repeats || $0.rounded() == $0 && $0 <= 1e6) }
        if constantPropensity == nil {
            try add(
                table, .propensity, columns.propensity, "propensity", "--propensity", "strictly between 0 and 1"
            ) { $0 > 0 && $0 < 1 }
        }
        try add(
            table, .armPropensity, columns.armPropensity, "propensity of the arm taken", "--arm-propensity",
            "over 0, at most 1", allowsMissing: given.armPropensity == nil && given.propensity == nil
        ) { $0 > 0 && $0 <= 1 }
        try add(table, .standardError, columns.standardError, "standard error", "--std-error", "0 or more") { $0 >= 0 }
        try add(table, .challenger, columns.challenger, "challenger", "--challenger", "a number") { _ in true }
        try add(table, .cost, columns.cost, "cost", "--cost-column", "a number") { _ in true }
        for (place, name) in columns.covariates.enumerated() {
            try add(
                table, .covariate(place), name, "covariate", "--covariates",
                "a number, and covariates must be: a column of texts becomes one column of 0 and 1 for each text (but one); "
                    + "name those, or leave it out",
                allowsMissing: true
            ) { _ in true }
        }
        if arms.count > 1 {
            for (place, arm) in arms.enumerated() {
                try add(table, .armScore(place), arm.column, "score", "--score", "a number", allowsMissing: true) { _ in
                    true
                }
            }
        }
    }

    /// Outcome and treatment have no second role: what is known only after the treatment is neither a covariate nor a score.
    private static func refuseSecondRoles(
        _ columns: TrialColumns, score: String, _ file: String
    ) throws(ImpactError) {
        var others: [(option: String, column: String?)] = [
            ("--score", score), ("--challenger", columns.challenger), ("--weight", columns.weight),
            ("--propensity", columns.propensity), ("--arm-propensity", columns.armPropensity),
            ("--std-error", columns.standardError), ("--cost-column", columns.cost), ("--cluster", columns.cluster),
        ]
        for covariate in columns.covariates { others.append(("--covariates", covariate)) }
        for (what, column) in [("outcome", columns.outcome), ("treatment", columns.treatment)] {
            guard let column else { continue }
            let second =
                what == "outcome" && columns.treatment == column
                ? "--treatment" : others.first { $0.column == column }?.option
            guard let second else { continue }
            throw ImpactError(
                .badInput, code: "csv_column",
                "\(file): '\(column)' is the \(what), which says nothing that was known before the treatment: name another "
                    + "column for \(second)")
        }
    }

    private mutating func add(
        _ table: CSVTable, _ role: Role, _ column: String?, _ name: String, _ option: String, _ rule: String,
        allowsMissing: Bool = false, _ holds: @escaping (Double) -> Bool
    ) throws(ImpactError) {
        guard let column else { return }
        slots.append(
            Slot(
                role: role, index: try table.index(of: column, role: name, option: option), rule: rule, holds: holds,
                allowsMissing: allowsMissing))
    }

    func place(_ role: Role) -> Int? { slots.firstIndex { $0.role == role } }

    /// The score columns of several arms; with several outcomes those of the outcome that is evaluated.
    private static func armColumns(_ names: [String], outcome: String) -> [(
        arm: String, outcome: String, column: String
    )] {
        let all = names.compactMap { name -> (arm: String, outcome: String, column: String)? in
            guard name.hasPrefix(prefix) else { return nil }
            let parts = name.dropFirst(prefix.count).split(separator: ":", maxSplits: 1).map(String.init)
            return parts.count == 2 ? (parts[1], parts[0], name) : nil
        }
        let outcomes = Set(all.map(\.outcome))
        return outcomes.count < 2 ? all : all.filter { $0.outcome == outcome }
    }

    /// The treated arm's own score when the file has one for each arm.
    private static func score(
        _ names: [String], _ arms: [(arm: String, outcome: String, column: String)], _ columns: TrialColumns,
        _ file: String
    ) throws(ImpactError) -> String {
        if let treated = columns.treated, let own = arms.first(where: { $0.arm == treated }) { return own.column }
        let scores = names.filter { $0.hasPrefix(prefix) }
        guard scores.isEmpty || columns.treated == nil else {
            throw ImpactError(
                .badInput, code: "csv_column",
                "\(file) has scores of several effects, none of arm '\(columns.treated ?? "")' and outcome "
                    + "'\(columns.outcome ?? "")': say which with --score; there are "
                    + scores.prefix(10).joined(separator: ", ") + (scores.count > 10 ? ", …" : ""))
        }
        return "uplift"
    }

    /// A score's own standard error; never another column's.
    private static func standardError(of score: String, _ names: [String]) -> String? {
        let own =
            score == "uplift"
            ? "std_error" : score.hasPrefix(prefix) ? "std_error:" + score.dropFirst(prefix.count) : nil
        return own.flatMap { names.contains($0) ? $0 : nil }
    }
}
