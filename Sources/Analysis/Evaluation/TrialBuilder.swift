import Base
import Statistics
import Tabular

/// Grows a trial's columns record by record; treatment labels stay codes until all of them are known.
struct TrialBuilder {
    private static let treatedWords: Set<String> = ["1", "1.0", "true", "yes", "treated", "treatment"]
    private static let controlWords: Set<String> = ["0", "0.0", "false", "no", "control", "none"]
    private static let missingWords: Set<String> = ["nan", "na", "n/a", "null"]
    private static let labelLimit = 100
    /// Columns that usually say whose row it is.
    private static let userColumns = [
        "user_id", "user", "customer_id", "customer", "household_id", "household", "visitor_id", "client_id", "id",
    ]

    private let slots: TrialSlots
    private var columns: TrialColumns { slots.columns }
    private let name: String
    private let treatmentIndex: Int
    private let clusterIndex: Int?
    private let experimentIndex: Int?
    /// A column that may tell of rows that are not independent, when no cluster was named.
    private let userIndex: Int?
    private let userColumn: String?

    private var labels: [String] = []
    private var codes: [UInt8] = []
    private var values: [[Double]]
    private var row: [Double]
    private var clusters = LabelCodes()
    private var experiments = LabelCodes()
    private var users: Set<Int> = []
    private var missing = 0
    private var censored = 0
    private var otherExperiments = 0
    private var others: [UInt8: Int] = [:]
    /// Rows without a value, by label and slot.
    private var lacking: [UInt8: [Int]] = [:]

    init(_ table: CSVTable, _ given: TrialColumns) throws(ImpactError) {
        slots = try TrialSlots(table, given)
        name = table.name
        let columns = slots.columns
        treatmentIndex = try table.index(of: columns.treatment ?? "", role: "treatment", option: "--treatment")
        clusterIndex = try columns.cluster.map { column throws(ImpactError) in
            try table.index(of: column, role: "cluster", option: "--cluster")
        }
        experimentIndex = try columns.experimentColumn.map { column throws(ImpactError) in
            try table.index(of: column, role: "experiment", option: "--experiment-column")
        }
        let user =
            columns.cluster == nil && !columns.repeatsRows ? Self.userColumns.first { table.columns.contains($0) } : nil
        userColumn = user
        userIndex = user.flatMap { table.columns.firstIndex(of: $0) }
        values = [[Double]](repeating: [], count: slots.slots.count)
        row = [Double](repeating: 0, count: slots.slots.count)
    }

    mutating func add(_ table: CSVTable) throws(ImpactError) {
        if let index = experimentIndex, let wanted = columns.experiment,
            table.record.text(table.text, index) != wanted
        {
            otherExperiments += 1
            return
        }
        if let index = slots.censored, case .value(1) = CSVDouble.read(table.text, table.record[index]) {
            censored += 1
            return
        }
        guard let code = try label(table) else {
            missing += 1
            return
        }
        // Rows of other arms may lack a score; only rows of the two arms, where they are known, are held to the rules.
        let isOther =
            columns.treated.map { treated in
                columns.control.map { labels[Int(code)] != treated && labels[Int(code)] != $0 } ?? false
            } ?? false
        if isOther, slots.scoredArms.count < 2 {
            others[code, default: 0] += 1
            return
        }
        guard try readNumbers(table, code) else { return }
        let times = columns.repeatsRows ? slots.place(.weight).map { Int(row[$0]) } ?? 1 : 1
        for _ in 0..<times {
            if let index = clusterIndex { clusters.add(table.record.text(table.text, index)) }
            if let index = experimentIndex { experiments.add(table.record.text(table.text, index)) }
            codes.append(code)
            for slot in row.indices { values[slot].append(row[slot]) }
        }
        if let index = userIndex {
            let field = table.record[index]
            users.insert(
                Int(
                    bitPattern: UInt(
                        StableHash.hash(UnsafeRawBufferPointer(rebasing: table.text[field.start..<field.end])))))
        }
    }

    /// False when a value is missing and such rows are left out.
    private mutating func readNumbers(_ table: CSVTable, _ code: UInt8) throws(ImpactError) -> Bool {
        var complete = true
        for (slot, number) in slots.slots.enumerated() {
            switch CSVDouble.read(table.text, table.record[number.index]) {
            case .value(let value) where number.holds(value): row[slot] = value
            case .missing where number.allowsMissing: row[slot] = .nan
            case .missing where columns.skipsMissing:
                complete = false
                lacking[code, default: [Int](repeating: 0, count: slots.slots.count)][slot] += 1
            case .missing:
                throw table.fault(
                    number.index, "the value is missing; fill it in, or leave such rows out with --skip-missing")
            case .outOfRange:
                throw table.fault(number.index, "\(field(table, number.index)) is too large for a double")
            case .value, .notANumber:
                throw table.fault(number.index, "'\(field(table, number.index))' is not \(number.rule)")
            }
        }
        if !complete { missing += 1 }
        return complete
    }

    private func field(_ table: CSVTable, _ index: Int) -> String {
        let text = table.record.text(table.text, index)
        return text.count > 40 ? "\(text.prefix(40))…" : text
    }

    /// The code of the record's treatment label; nil when it is missing and such rows are left out.
    private mutating func label(_ table: CSVTable) throws(ImpactError) -> UInt8? {
        let field = table.record[treatmentIndex]
        let bytes = table.text[field.start..<field.end]
        if !field.hasDoubledQuotes, let code = labels.firstIndex(where: { $0.utf8.elementsEqual(bytes) }) {
            return UInt8(code)
        }
        let label = table.record.text(table.text, treatmentIndex)
        if let code = labels.firstIndex(of: label) { return UInt8(code) }
        let isNamed = label == columns.treated || label == columns.control
        if label.isEmpty || (!isNamed && Self.missingWords.contains(label.lowercased())) {
            if columns.skipsMissing { return nil }
            throw table.fault(
                treatmentIndex,
                "the treatment is missing\(label.isEmpty ? "" : " ('\(label)')"); fill it in, or leave such rows out with "
                    + "--skip-missing")
        }
        guard labels.count < Self.labelLimit else {
            throw table.fault(
                treatmentIndex, "more than \(Self.labelLimit) different treatments: is this the right column?")
        }
        labels.append(label)
        return UInt8(labels.count - 1)
    }

    consuming func finish(rows: Int) throws(ImpactError) -> TrialReading {
        guard rows > 0 else {
            throw ImpactError(.badInput, code: "csv_empty", "\(name) has a heading and no rows")
        }
        if codes.isEmpty, otherExperiments > 0, otherExperiments == rows {
            throw ImpactError(
                .badInput, code: "no_rows", "\(name) has no row of the experiment '\(columns.experiment ?? "")'")
        }
        let (treated, control) = try arms()
        for (code, label) in [(treated, "treated"), (control, "control")] where !codes.contains(code) {
            throw try nothingLeft(code, label)
        }
        var remarks: [String] = []
        let extrasOfArms = try armTrial(control: control)
        let chances = try propensities(treated: treated, control: control, &remarks)
        var keep = codes.indices.filter { codes[$0] == treated || codes[$0] == control }
        var other = others
        for code in codes where code != treated && code != control { other[code, default: 0] += 1 }
        keep = withBothArms(keep, treated: treated, &remarks)

        func column(_ role: TrialSlots.Role) -> [Double]? {
            slots.place(role).map { place in keep.map { values[place][$0] } }
        }
        let trial: Trial
        do throws(ImpactError) {
            trial = try Trial(
                score: column(.score) ?? [], treatment: keep.map { codes[$0] == treated ? 1 : 0 },
                outcome: column(.outcome) ?? [], weight: columns.repeatsRows ? nil : column(.weight),
                propensity: chances.map { chances in keep.map { chances[$0] } }, standardError: column(.standardError),
                clusters: clusterIndex == nil ? nil : Clusters(labels: keep.map { clusters.codes[$0] }),
                experiments: experimentIndex == nil ? nil : Clusters(labels: keep.map { experiments.codes[$0] }))
        } catch {
            throw ImpactError(error.kind, code: error.code, "\(name): \(error.message)")
        }
        var extras = EvaluationExtras()
        extras.scoreName = columns.score ?? "uplift"
        extras.clusterName = columns.cluster
        if let name = columns.challenger, let score = column(.challenger) { extras.challenger = (name, score) }
        extras.cost = column(.cost)
        extras.covariates = (columns.covariates, columns.covariates.indices.compactMap { column(.covariate($0)) })
        extras.arms = extrasOfArms
        if experimentIndex != nil { extras.experiments = namesOfExperiments(keep) }
        if censored > 0 {
            remarks.append("\(censored) censored rows are left out: their outcome windows were not over")
        }
        if otherExperiments > 0 { remarks.append("\(otherExperiments) rows of other experiments are left out") }
        if let column = userColumn, users.count < codes.count {
            remarks.append(
                "\(codes.count) rows have \(users.count) values of '\(column)': rows of one user are not independent, and "
                    + "intervals that count them so are too narrow; say --cluster \(column)")
        }
        return TrialReading(
            trial: trial, source: name, columns: columns, treatedLabel: labels[Int(treated)],
            controlLabel: labels[Int(control)], rowsRead: rows,
            otherArms: other.map { (labels[Int($0.key)], $0.value) }.sorted { $0.0 < $1.0 }, rowsMissing: missing,
            extras: extras, remarks: remarks)
    }

    /// Why no row of an arm is left.
    private func nothingLeft(_ code: UInt8, _ role: String) throws(ImpactError) -> ImpactError {
        let label = labels[Int(code)]
        guard let counts = lacking[code], let most = counts.max(), let slot = counts.firstIndex(of: most), most > 0
        else {
            return ImpactError(
                .badInput, code: "single_arm", "\(name): no \(role) row ('\(label)') is left to be compared")
        }
        let role2: String
        switch slots.slots[slot].role {
        case .outcome: role2 = "an outcome ('\(columns.outcome ?? "")')"
        case .score: role2 = "a score ('\(columns.score ?? "")')"
        default: role2 = "a value that is read"
        }
        return ImpactError(
            .badInput, code: "single_arm",
            "\(name): all \(most) rows of the \(role) arm '\(label)' lack \(role2), so nothing is left to compare with; is it "
                + "recorded for that arm?")
    }

    /// Leaves out experiments in which one of the two arms has no row.
    private func withBothArms(_ rows: [Int], treated: UInt8, _ remarks: inout [String]) -> [Int] {
        guard experimentIndex != nil, experiments.labels.count > 1 else { return rows }
        var seen = [UInt8](repeating: 0, count: experiments.labels.count)
        for row in rows { seen[Int(experiments.codes[row])] |= codes[row] == treated ? 1 : 2 }
        for (code, arms) in seen.enumerated() where arms == 1 || arms == 2 {
            let count = rows.count { Int(experiments.codes[$0]) == code }
            remarks.append(
                "experiment '\(experiments.labels[code])' has no \(arms == 1 ? "control" : "treated") rows: its \(count) rows are "
                    + "left out")
        }
        let kept = rows.filter { seen[Int(experiments.codes[$0])] == 3 }
        return kept.isEmpty ? rows : kept
    }

    private func namesOfExperiments(_ rows: [Int]) -> [String] {
        var names: [String] = []
        var seen: Set<Int32> = []
        for row in rows where seen.insert(experiments.codes[row]).inserted {
            let label = experiments.labels[Int(experiments.codes[row])]
            names.append(label.isEmpty ? "(no name)" : label)
        }
        return names
    }

    /// The probability of treatment of each row of the two arms, given that it is of one of them.
    private func propensities(
        treated: UInt8, control: UInt8, _ remarks: inout [String]
    ) throws(ImpactError) -> [Double]? {
        if let constant = slots.constantPropensity { return [Double](repeating: constant, count: codes.count) }
        if let place = slots.place(.propensity) { return values[place] }
        guard let own = try ownPropensities(&remarks) else { return nil }
        let strata = max(1, experiments.labels.count)
        func stratum(_ row: Int) -> Int { experimentIndex == nil ? 0 : Int(experiments.codes[row]) }
        // With two arms one chance gives the other; with more, each arm's must be the same for everyone.
        var armsOf = [Set<UInt8>](repeating: [], count: strata)
        var low = [Double](repeating: .infinity, count: 2 * strata)
        var high = [Double](repeating: 0, count: 2 * strata)
        for row in codes.indices {
            armsOf[stratum(row)].insert(codes[row])
            guard codes[row] == treated || codes[row] == control else { continue }
            let cell = stratum(row) * 2 + (codes[row] == treated ? 1 : 0)
            low[cell] = min(low[cell], own[row])
            high[cell] = max(high[cell], own[row])
        }
        for code in others.keys { for stratum in 0..<strata { armsOf[stratum].insert(code) } }
        var chances = [Double](repeating: 0.5, count: codes.count)
        for row in codes.indices where codes[row] == treated || codes[row] == control {
            let place = stratum(row)
            let isConstant = (0..<2).allSatisfy {
                high[2 * place + $0] - low[2 * place + $0] <= 1e-9 || high[2 * place + $0] == 0
            }
            if isConstant, high[2 * place] > 0, high[2 * place + 1] > 0 {
                chances[row] = high[2 * place + 1] / (high[2 * place] + high[2 * place + 1])
                // Two arms whose chances add up to 1 need no scaling, and keep their digits.
                if abs(high[2 * place] + high[2 * place + 1] - 1) < 1e-9 { chances[row] = high[2 * place + 1] }
            } else if armsOf[place].count <= 2 {
                chances[row] = codes[row] == treated ? own[row] : 1 - own[row]
            } else if high[2 * place] > 0, high[2 * place + 1] > 0 {
                throw ImpactError(
                    .badInput, code: "arm_propensity",
                    "\(name): there are more than two arms and the propensity of the arm taken differs from row to row, so "
                        + "the chance of '\(labels[Int(treated)])' against '\(labels[Int(control)])' is not known; give a "
                        + "column of it with --propensity")
            }
            guard chances[row] > 0, chances[row] < 1 else {
                throw ImpactError(
                    .badInput, code: "arm_propensity",
                    "\(name): a row of '\(labels[Int(codes[row])])' has the propensity \(own[row]): who could only get one arm "
                        + "says nothing of the other; leave such rows out")
            }
        }
        return chances
    }

    /// The column of the propensity of the arm taken; nil when there is none, or it is empty.
    private func ownPropensities(_ remarks: inout [String]) throws(ImpactError) -> [Double]? {
        guard let place = slots.place(.armPropensity) else { return nil }
        let empty = values[place].count { $0.isNaN }
        guard empty > 0 else { return values[place] }
        guard empty == codes.count else {
            throw ImpactError(
                .badInput, code: "arm_propensity",
                "\(name): \(empty) of \(codes.count) rows have no '\(columns.armPropensity ?? "")': the experiment logged it "
                    + "for some only. Say --propensity with the planned share, or take one experiment with --experiment"
            )
        }
        remarks.append("no row has a propensity in '\(columns.armPropensity ?? "")': the arms' shares stand in")
        return nil
    }

    /// All arms, when each has a score of its own.
    private func armTrial(control: UInt8) throws(ImpactError) -> ArmTrial? {
        let scored = slots.scoredArms.enumerated().filter { labels.contains($0.element) }
        guard slots.scoredArms.count > 1, scored.count > 1 else { return nil }
        let arms = [labels[Int(control)]] + scored.map(\.element)
        let rows = codes.indices.filter { arms.contains(labels[Int(codes[$0])]) }
        let places = scored.compactMap { slots.place(.armScore($0.offset)) }
        guard rows.allSatisfy({ row in places.allSatisfy { !values[$0][row].isNaN } }) else {
            throw ImpactError(
                .badInput, code: "csv_value",
                "\(name): a row lacks the score of an arm; fill it in, or leave one arm's score columns only")
        }
        var noted: [String] = []
        var own = try ownPropensities(&noted)
        if own == nil, let constant = slots.constantPropensity, arms.count == 2 {
            own = rows.map { labels[Int(codes[$0])] == arms[0] ? 1 - constant : constant }
        }
        func column(_ role: TrialSlots.Role) -> [Double]? {
            slots.place(role).map { place in rows.map { values[place][$0] } }
        }
        return try ArmTrial(
            arms: arms, arm: rows.map { Int32(arms.firstIndex(of: labels[Int(codes[$0])]) ?? 0) },
            outcome: column(.outcome) ?? [], scores: places.map { place in rows.map { values[place][$0] } },
            propensity: own.map { own in own.count == rows.count ? own : rows.map { own[$0] } },
            weight: columns.repeatsRows ? nil : column(.weight),
            clusters: clusterIndex == nil ? nil : Clusters(labels: rows.map { clusters.codes[$0] }),
            experiments: experimentIndex == nil ? nil : Clusters(labels: rows.map { experiments.codes[$0] }))
    }

    /// The codes of both arms.
    private func arms() throws(ImpactError) -> (treated: UInt8, control: UInt8) {
        func find(_ label: String?, _ words: Set<String>) -> Int? {
            label.map { labels.firstIndex(of: $0) } ?? labels.firstIndex { words.contains($0.lowercased()) }
        }
        var treated = find(columns.treated, Self.treatedWords)
        var control = find(columns.control, Self.controlWords)
        // With one arm named and two labels in all, the other is the other.
        if labels.count == 2 {
            if columns.treated != nil, columns.control == nil, let treated { control = 1 - treated }
            if columns.control != nil, columns.treated == nil, let control { treated = 1 - control }
            // A name that means control leaves no doubt about the other.
            if columns.treated == nil, columns.control == nil, let control, treated == nil { treated = 1 - control }
        }
        guard let treated, let control, treated != control else {
            let seen = labels.sorted().prefix(10).map { "'\($0)'" }.joined(separator: ", ")
            let wanted = [columns.treated, columns.control].compactMap { $0 }.filter { !labels.contains($0) }
            throw ImpactError(
                .badInput, code: "treatment_labels",
                "\(name), column '\(columns.treatment ?? "")': "
                    + (wanted.isEmpty
                        ? "which label means treated and which control is not clear"
                        : "no row is \(wanted.map { "'\($0)'" }.joined(separator: " or "))")
                    + "; the labels are \(seen). Say --treated LABEL --control LABEL")
        }
        if slots.isScoreOfBestArm, labels.count > 2 {
            throw ImpactError(
                .badInput, code: "several_effects",
                "\(name): with \(labels.count - 1) arms the column uplift is the best arm's effect, and not that of '\(labels[treated])', "
                    + "which is inside the column effects. Make a column for each arm (uplift:OUTCOME:ARM, as 'impactiq model "
                    + "score' and 'impactiq rows --scores' write them), or say --score uplift if it is meant")
        }
        return (UInt8(treated), UInt8(control))
    }
}

/// Texts as numbers, in the order in which they come.
private struct LabelCodes {
    private var known: [String: Int32] = [:]
    private(set) var labels: [String] = []
    private(set) var codes: [Int32] = []

    mutating func add(_ label: String) {
        if let code = known[label] { return codes.append(code) }
        let code = Int32(labels.count)
        known[label] = code
        labels.append(label)
        codes.append(code)
    }
}
