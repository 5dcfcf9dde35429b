import Base
import Tabular

/// Grows a trial's columns record by record; treatment labels stay codes until all of them are known.
struct TrialBuilder {
    private struct Number {
        let index: Int
        let rule: String
        let holds: (Double) -> Bool
    }

    private static let treatedWords: Set<String> = ["1", "1.0", "true", "yes", "treated", "treatment"]
    private static let controlWords: Set<String> = ["0", "0.0", "false", "no", "control", "none"]
    private static let labelLimit = 100

    private let columns: TrialColumns
    private let name: String
    private let treatmentIndex: Int
    private var labels: [String] = []
    private var codes: [UInt8] = []
    private var missing = 0
    /// score, outcome, weight, propensity, standard error: what is read, and the column that grows.
    private var numbers: [Number?]
    private var values: [[Double]] = [[], [], [], [], []]
    private var row = [Double](repeating: 0, count: 5)

    init(_ table: CSVTable, _ columns: TrialColumns) throws(ImpactError) {
        self.columns = columns
        name = table.name
        treatmentIndex = try table.index(of: columns.treatment, role: "treatment", option: "--treatment")
        func number(
            _ column: String, _ role: String, _ option: String, _ rule: String, _ holds: @escaping (Double) -> Bool
        ) throws(ImpactError) -> Number {
            Number(index: try table.index(of: column, role: role, option: option), rule: rule, holds: holds)
        }
        numbers = [
            try number(columns.score, "score", "--score", "a number") { _ in true },
            try number(columns.outcome, "outcome", "--outcome", "a number") { _ in true },
            nil, nil, nil,
        ]
        if let weight = columns.weight {
            numbers[2] = try number(weight, "weight", "--weight", "0 or more") { $0 >= 0 }
        }
        if let column = columns.propensity ?? (table.columns.contains("propensity") ? "propensity" : nil) {
            numbers[3] = try number(column, "propensity", "--propensity", "strictly between 0 and 1") {
                $0 > 0 && $0 < 1
            }
        }
        if let column = columns.standardError ?? (table.columns.contains("std_error") ? "std_error" : nil) {
            numbers[4] = try number(column, "standard error", "--std-error", "0 or more") { $0 >= 0 }
        }
    }

    mutating func add(_ table: CSVTable) throws(ImpactError) {
        guard let code = try label(table) else {
            missing += 1
            return
        }
        // Rows of other arms may lack a score; only rows of the two arms, where they are known, are held to the rules.
        if let treated = columns.treated, let control = columns.control,
            labels[Int(code)] != treated && labels[Int(code)] != control
        {
            others[code, default: 0] += 1
            return
        }
        var complete = true
        for slot in 0..<numbers.count {
            guard let number = numbers[slot] else { continue }
            switch CSVDouble.read(table.text, table.record[number.index]) {
            case .value(let value) where number.holds(value): row[slot] = value
            case .missing where columns.skipsMissing: complete = false
            case .missing:
                throw table.fault(
                    number.index, "the value is missing; fill it in, or leave such rows out with --skip-missing")
            case .outOfRange:
                throw table.fault(number.index, "\(field(table, number.index)) is too large for a double")
            case .value, .notANumber:
                throw table.fault(number.index, "'\(field(table, number.index))' is not \(number.rule)")
            }
        }
        guard complete else {
            missing += 1
            return
        }
        codes.append(code)
        for slot in 0..<numbers.count where numbers[slot] != nil { values[slot].append(row[slot]) }
    }

    private var others: [UInt8: Int] = [:]

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
        if label.isEmpty {
            if columns.skipsMissing { return nil }
            throw table.fault(
                treatmentIndex, "the treatment is missing; fill it in, or leave such rows out with --skip-missing")
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
        let (treated, control) = try arms()
        var other = others
        if codes.contains(where: { $0 != treated && $0 != control }) {
            // Unlabelled other arms were kept with their values: take them out.
            let keep = codes.indices.filter { codes[$0] == treated || codes[$0] == control }
            for code in codes where code != treated && code != control { other[code, default: 0] += 1 }
            for slot in 0..<values.count where numbers[slot] != nil {
                values[slot] = keep.map { [column = values[slot]] in column[$0] }
            }
            codes = keep.map { [codes] in codes[$0] }
        }
        let trial: Trial
        do throws(ImpactError) {
            trial = try Trial(
                score: values[0], treatment: codes.map { $0 == treated ? 1 : 0 }, outcome: values[1],
                weight: numbers[2] == nil ? nil : values[2], propensity: numbers[3] == nil ? nil : values[3],
                standardError: numbers[4] == nil ? nil : values[4])
        } catch {
            throw ImpactError(error.kind, code: error.code, "\(name): \(error.message)")
        }
        return TrialReading(
            trial: trial, source: name, columns: columns, treatedLabel: labels[Int(treated)],
            controlLabel: labels[Int(control)], rowsRead: rows,
            otherArms: other.map { (labels[Int($0.key)], $0.value) }.sorted { $0.0 < $1.0 }, rowsMissing: missing)
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
        }
        guard let treated, let control, treated != control else {
            let seen = labels.sorted().prefix(10).map { "'\($0)'" }.joined(separator: ", ")
            let wanted = [columns.treated, columns.control].compactMap { $0 }.filter { !labels.contains($0) }
            throw ImpactError(
                .badInput, code: "treatment_labels",
                "\(name), column '\(columns.treatment)': "
                    + (wanted.isEmpty
                        ? "which label means treated and which control is not clear"
                        : "no row is \(wanted.map { "'\($0)'" }.joined(separator: " or "))")
                    + "; the labels are \(seen). Say --treated LABEL --control LABEL")
        }
        return (UInt8(treated), UInt8(control))
    }
}
