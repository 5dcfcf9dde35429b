import Base
import Features
import Foundation
import Rows
import Tabular

extension TrainingPlan {
    /// Columns of `impactiq rows` and of logs that are not features.
    static let bookkeeping: Set = [
        "partition", "offset", "user_id", "customer_id", "id", "time", "timestamp", "experiment", "arm",
        "arm_propensity", "propensity", "uplift", "std_error", "censored",
    ]
    /// Names that only a simulation's truth has, as `impactiq demo rows` writes it.
    static let truth: Set = ["effect", "baseline", "segment"]
    private static let usualOutcomes = ["conversion", "outcome", "visit", "value", "y"]
    private static let usualControls: Set = ["control", "0", "none", "no", "false", "holdout", "hold-out", "placebo"]
    /// Columns of 0 and 1 made of one column of texts; with more texts it becomes one column of their ranks.
    package static let mostLevels = 32
    /// Texts that a column of ranks may have.
    package static let mostRanks = 4_096

    /// Finds out what each column is.
    ///
    /// - Throws: `csv_column`, `train_…` saying which option names what is not clear.
    package static func make(_ request: TrainingRequest) throws(ImpactError) -> TrainingPlan {
        let profiles = try ColumnProfile.read(path: request.rows)
        let sidecar = RowsSidecar.read(beside: request.rows)
        var maker = PlanMaker(request, profiles, sidecar)
        if sidecar == nil, FileManager.default.fileExists(atPath: request.rows + ".json") {
            maker.notes.append(
                "\(request.rows).json is not what `impactiq rows` writes beside its rows; it is passed over")
        }
        var plan = try maker.make()
        for (names, count, what) in [
            (request.effectNames, plan.effects.count, "treatment"),
            (request.outcomeNames, plan.outcomes.count, "outcome"),
        ] where !names.isEmpty && names.count != count {
            throw ImpactError(
                .usage, code: "train_names", "there are \(count) \(what)s, but \(names.count) names with --\(what)-name"
            )
        }
        plan.effectNames = request.effectNames
        plan.outcomeNames = request.outcomeNames
        return plan
    }

    struct PlanMaker {
        let request: TrainingRequest
        let profiles: [ColumnProfile]
        let sidecar: RowsSidecar?
        var notes: [String] = []
        var ignored: [(column: String, why: String)] = []

        init(_ request: TrainingRequest, _ profiles: [ColumnProfile], _ sidecar: RowsSidecar?) {
            self.request = request
            self.profiles = profiles
            self.sidecar = sidecar
        }

        func profile(_ name: String) -> ColumnProfile? { profiles.first { $0.name == name } }

        func require(_ name: String, _ option: String) throws(ImpactError) -> ColumnProfile {
            try profiles.require(name, option, path: request.rows)
        }

        func fault(_ code: String, _ message: String) -> ImpactError {
            ImpactError(.badInput, code: code, "\(request.rows): \(message)")
        }

        /// A column of numbers with a value that is none.
        func notNumbers(_ profile: ColumnProfile, _ code: String, _ what: String, advice: String = "") -> ImpactError {
            let (line, text) = (profile.firstText?.line ?? 0, profile.firstText?.text ?? "")
            return ImpactError(
                .badInput, code: code,
                "\(request.rows) line \(line), column '\(profile.name)': \"\(text)\" is not a number, \(what)"
                    + advice)
        }

        mutating func make() throws(ImpactError) -> TrainingPlan {
            for name in request.ignored { _ = try require(name, "ignore") }
            for name in request.ids { _ = try require(name, "id") }
            for name in request.categories { _ = try require(name, "category") }
            let treatment = try treatmentColumn()
            let arms = try arms(treatment)
            let outcomes = try outcomes(besides: treatment)
            let propensity = try propensity(treatment, arms)
            try checkRoles(treatment, outcomes, propensity)
            let specification = request.specification ?? sidecar?.specification
            let censored = request.areResiduals ? nil : profile("censored").map { _ in "censored" }
            for column in [request.weight, request.cluster] {
                if let column { _ = try require(column, column == request.weight ? "weight" : "cluster") }
            }
            var taken = Set([treatment] + outcomes)
            for column in [request.weight, request.cluster, censored] { if let column { taken.insert(column) } }
            switch propensity {
            case .ownArm(let column), .treated(let column): taken.insert(column)
            default: break
            }
            let features = try features(specification, taken: taken)
            guard !features.isEmpty else {
                throw fault("train_features", "no column is left for a feature; name them with --feature")
            }
            var plan = TrainingPlan(
                treatment: treatment, arms: arms, outcomes: outcomes, propensity: propensity, weight: request.weight,
                cluster: request.cluster, features: features, specification: specification, censored: censored,
                ignored: ignored, notes: notes)
            for column in outcomes + [treatment] {
                plan.origins[column] = request.areResiduals ? 0 : profile(column)?.origin ?? 0
            }
            return plan
        }

        /// A column that is two things at once answers no question.
        private func checkRoles(
            _ treatment: String, _ outcomes: [String], _ propensity: Propensity
        ) throws(ImpactError) {
            var roles: [String: String] = [treatment: "treatment"]
            func take(_ column: String?, _ role: String) throws(ImpactError) {
                guard let column else { return }
                if let other = roles.updateValue(role, forKey: column) {
                    throw ImpactError(
                        .usage, code: "train_columns",
                        other == role
                            ? "--\(role) \(column) is given twice"
                            : "'\(column)' cannot be both the \(other) and the \(role)")
                }
            }
            for outcome in outcomes { try take(outcome, "outcome") }
            switch propensity {
            case .ownArm(let column), .treated(let column): try take(column, "propensity")
            default: break
            }
            try take(request.weight, "weight")
            if let cluster = request.cluster, outcomes.contains(cluster) { try take(cluster, "cluster") }
            for (name, role) in roles.sorted(by: { $0.key < $1.key }) {
                for (names, option) in [
                    (request.features, "feature"), (request.ignored, "ignore"), (request.ordered, "ordered"),
                    (role == "treatment" ? [] : request.categories, "category"),
                ] where names.contains(name) {
                    throw ImpactError(
                        .usage, code: "train_columns", "--\(option) \(name): it is the \(role); it cannot be both")
                }
            }
            if let name = request.features.first(where: { request.ignored.contains($0) }) {
                throw ImpactError(
                    .usage, code: "train_columns", "--feature \(name) and --ignore \(name): leave one of the two out")
            }
        }

        private func treatmentColumn() throws(ImpactError) -> String {
            if let name = request.treatment { return try require(name, "treatment").name }
            for name in ["arm", "treatment", "treated", "t"] where profile(name) != nil { return name }
            throw fault(
                "train_treatment",
                "name the treatment's column with --treatment; the columns are "
                    + NameList.text(profiles.map(\.name), limit: 24))
        }

        private mutating func arms(_ treatment: String) throws(ImpactError) -> [String]? {
            if request.areResiduals { return nil }
            let profile = try require(treatment, "treatment")
            // What stands for a missing number is a missing arm, unless it is asked for by its name.
            let levels = (profile.levels ?? []).filter {
                !CSVDouble.isMissing($0) || request.control == $0 || request.arms.contains($0)
                    || TrainingPlan.usualControls.contains($0.lowercased())
            }
            let isNumber = profile.isNumeric && (!profile.isWhole || profile.levels == nil || levels.count > 20)
            if isNumber, !request.isContinuous, !request.categories.contains(treatment) {
                guard profile.levels == nil || levels.count > 20 else {
                    throw fault(
                        "train_treatment",
                        "the treatment '\(treatment)' holds numbers that are not whole (\(NameList.text(levels, limit: 4))): "
                            + "--continuous takes it for an amount, --category \(treatment) its values for arms")
                }
                notes.append("the treatment '\(treatment)' is a number: the effect is that of one unit more")
            }
            if request.isContinuous || isNumber && !request.categories.contains(treatment) {
                guard profile.isNumeric else {
                    throw notNumbers(profile, "train_treatment", "as a treatment that is one must be")
                }
                return nil
            }
            guard profile.levels != nil else {
                throw fault(
                    "train_treatment", "the treatment '\(treatment)' has more than \(ColumnProfile.mostLevels) arms")
            }
            guard levels.count > 1 else {
                throw fault("train_treatment", "the treatment '\(treatment)' has one value only: \(levels.joined())")
            }
            let control = try control(treatment, levels)
            var others = levels.filter { $0 != control }.sorted()
            if !request.arms.isEmpty {
                for arm in request.arms where !others.contains(arm) {
                    throw fault(
                        "train_treatment",
                        "'\(treatment)' has no arm '\(arm)' besides the control; its arms are "
                            + others.joined(separator: ", "))
                }
                others = request.arms
            }
            guard others.count <= 16 else {
                throw fault("train_treatment", "\(others.count) arms are too many; choose with --arm")
            }
            return [control] + others
        }

        private func control(_ treatment: String, _ levels: [String]) throws(ImpactError) -> String {
            if let control = request.control {
                guard levels.contains(control) else {
                    throw fault(
                        "train_control",
                        "'\(treatment)' has no arm '\(control)'; its arms are "
                            + levels.sorted().joined(separator: ", "))
                }
                return control
            }
            let usual = levels.filter { TrainingPlan.usualControls.contains($0.lowercased()) }
            if usual.count == 1 { return usual[0] }
            throw fault(
                "train_control",
                "say which arm of '\(treatment)' is the control with --control; its arms are "
                    + levels.sorted().joined(separator: ", "))
        }

        private mutating func outcomes(besides treatment: String) throws(ImpactError) -> [String] {
            if !request.outcomes.isEmpty {
                var found: [String] = []
                for name in request.outcomes {
                    let profile = try require(name, "outcome")
                    try profile.checkIsOneKind(path: request.rows)
                    guard profile.isNumeric else {
                        throw notNumbers(profile, "train_outcome", "as an outcome must be")
                    }
                    found.append(name)
                }
                return found
            }
            if let first = sidecar?.outcomes.first(where: { profile($0) != nil }) {
                notes.append("the outcome is \(first), the first of the rows' sidecar; --outcome names another")
                return [first]
            }
            for name in TrainingPlan.usualOutcomes where name != treatment && profile(name)?.isMeantAsNumbers == true {
                notes.append("the outcome is \(name); --outcome names another")
                return [name]
            }
            throw fault(
                "train_outcome",
                "name the outcome's column with --outcome; the columns are "
                    + NameList.text(profiles.map(\.name), limit: 24))
        }

        private mutating func propensity(_ treatment: String, _ arms: [String]?) throws(ImpactError) -> Propensity {
            if request.areResiduals { return .residuals }
            guard let arms else { return .mean }
            guard let text = request.propensity else {
                if request.propensityIsOfTreatment {
                    throw ImpactError(
                        .usage, code: "train_propensity", "--propensity-of-treatment needs --propensity COLUMN")
                }
                for name in ["arm_propensity", "propensity"] where profile(name)?.isMeantAsNumbers == true {
                    let profile = profile(name)
                    guard profile?.missing == 0 else {
                        notes.append("some rows lack '\(name)', so the propensity is estimated")
                        return .estimate
                    }
                    guard hasOthers(treatment, arms) else { return .ownArm(name) }
                    if let chances = try loggedChances(name, treatment, arms) {
                        notes.append(
                            "the chances of the arms are those of '\(name)': "
                                + zip(arms, chances).map { "\($0) \(String(format: "%.4g", $1))" }
                                .joined(separator: ", "))
                        return .constant(chances)
                    }
                    notes.append(
                        "'\(name)' tells each row's chance of its own arm alone, and there are others, so the chances are estimated"
                    )
                    return .estimate
                }
                return .estimate
            }
            if text == "estimate" { return .estimate }
            if let column = profile(text) {
                if hasOthers(treatment, arms) {
                    guard !request.propensityIsOfTreatment, let chances = try loggedChances(text, treatment, arms)
                    else {
                        throw fault(
                            "train_propensity",
                            "'\(text)' is not the same in all rows of an arm, and '\(treatment)' has more than two arms: "
                                + "the chances of the other arms do not follow; give the chances of the arms, as 0.3,0.3,0.4, "
                                + "or --propensity estimate")
                    }
                    return .constant(chances)
                }
                return request.propensityIsOfTreatment ? .treated(column.name) : .ownArm(column.name)
            }
            let numbers = text.split(separator: ",").compactMap { Double($0) }
            var chances = numbers
            if numbers.count == arms.count - 1 { chances = [1 - numbers.reduce(0, +)] + numbers }
            guard !numbers.isEmpty, chances.count == arms.count, chances.allSatisfy({ $0 > 0 && $0 < 1 }),
                abs(chances.reduce(0, +) - 1) < 1e-6
            else {
                throw ImpactError(
                    .usage, code: "train_propensity",
                    "--propensity '\(text)' is neither a column, nor 'estimate', nor the chances of \(arms.count) arms "
                        + "(control first, sum 1) or of the \(arms.count - 1) besides the control")
            }
            return .constant(chances)
        }

        /// Whether the treatment has more arms than two, used or not: then a chance is not 1 less the other's.
        private func hasOthers(_ treatment: String, _ arms: [String]) -> Bool {
            let levels = (profile(treatment)?.levels ?? []).filter { !CSVDouble.isMissing($0) }
            return arms.count > 2 || Set(levels).subtracting(arms).count > 0
        }

        /// The chances of the arms, given that a row has one of them, when a column holds one number an arm; else nil.
        private func loggedChances(
            _ column: String, _ treatment: String, _ arms: [String]
        ) throws(ImpactError) -> [Double]? {
            var own = RowField("propensity", column: column, missing: .dropRow, role: "propensity")
            own.accepted = .chances
            let reader = try RowReader(
                path: request.rows,
                fields: [RowField("arm", column: treatment, .level(only: arms), missing: .dropRow), own])
            var found = [Float](repeating: .nan, count: arms.count)
            while try reader.next(65_536) {
                for (arm, chance) in zip(reader.columns[0].buffer, reader.columns[1].buffer) {
                    let arm = Int(arm)
                    if found[arm].isNaN { found[arm] = chance }
                    if abs(found[arm] - chance) > 1e-6 { return nil }
                }
            }
            let total = found.reduce(0) { $0 + Double($1) }
            guard total > 0, total < 1 + 1e-4 else { return nil }
            return found.map { Double($0) / total }
        }
    }
}
