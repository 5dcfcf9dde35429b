import Base
import Tabular

/// What the first rows of a file say about one of its columns.
package struct ColumnProfile: Sendable {
    package var name: String
    /// Values looked at that are numbers, missing, or other text.
    package var numbers = 0
    package var missing = 0
    package var texts = 0
    /// The first value that is neither a number nor missing, and its line.
    package var firstText: FirstText?
    /// Every number was whole.
    package var isWhole = true
    /// The distinct values as text, in the order of their appearance, while there are few (`mostLevels`); nil: more.
    package var levels: [String]? = []

    package struct FirstText: Sendable, Equatable {
        package var line: Int
        package var text: String
    }

    package static let mostLevels = 256

    /// A column of numbers, with nothing else but missing values.
    package var isNumeric: Bool { texts == 0 }
    /// Mostly numbers: a text among them is a slip, which reading names with its line.
    package var isMeantAsNumbers: Bool { isNumeric || numbers > texts }

    /// An error when a column is neither numbers nor texts: mostly numbers with a few texts among them, or numbers with a decimal
    /// comma. Taken for texts, it would be no number to any model, and nobody would have been told.
    package func checkIsOneKind(path: String) throws(ImpactError) {
        guard let first = firstText else { return }
        let comma = first.text.split(separator: ",", omittingEmptySubsequences: false)
        let hasComma =
            comma.count == 2
            && comma.allSatisfy {
                !$0.isEmpty && $0.drop { "+-".contains($0) }.allSatisfy { $0.isASCII && $0.isNumber }
            }
        guard isMeantAsNumbers || hasComma else { return }
        throw ImpactError(
            .badInput, code: "csv_value",
            "\(path) line \(first.line), column '\(name)': \"\(first.text.prefix(40))\" is not a number"
                + (hasComma
                    ? "; write the decimal point as a point"
                    : ", but \(numbers) of the column's values are; mend it, or leave it empty when it is not known")
                + ". A column of texts is named with --category \(name), one to leave out with --ignore \(name)")
    }

    mutating func observe(_ table: CSVTable, _ column: Int) {
        let (text, record) = (table.text, table.record)
        switch CSVDouble.read(text, record[column]) {
        case .value(let value):
            numbers += 1
            if value != value.rounded() { isWhole = false }
        case .missing: missing += 1
        case .notANumber, .outOfRange:
            if texts == 0 {
                firstText = FirstText(line: table.line, text: String(record.text(text, column).prefix(40)))
            }
            texts += 1
        }
        guard levels != nil else { return }
        let level = record.text(text, column).trimmed
        guard !level.isEmpty, levels?.contains(level) == false else { return }
        if levels?.count == Self.mostLevels { levels = nil } else { levels?.append(level) }
    }

    /// Looks at the first rows of a file.
    ///
    /// - Throws: `csv_…` naming file and line; `rows_empty` when there is no row.
    package static func read(path: String, rows: Int = 5_000) throws(ImpactError) -> [ColumnProfile] {
        guard path != "-" else {
            throw ImpactError(
                .usage, code: "rows_file", "training reads its rows more than once: give a file, not standard input")
        }
        let table = try CSVTable(path: path)
        var profiles = table.columns.map { ColumnProfile(name: $0) }
        var count = 0
        while count < rows, try table.advance() {
            for column in profiles.indices { profiles[column].observe(table, column) }
            count += 1
        }
        guard count > 0 else {
            throw ImpactError(.badInput, code: "rows_empty", "\(path) has a heading and no rows")
        }
        return profiles
    }
}

extension [ColumnProfile] {
    /// The profile of a column that an option names.
    ///
    /// - Throws: `csv_column`, with the columns that there are.
    package func require(_ name: String, _ option: String, path: String) throws(ImpactError) -> ColumnProfile {
        if let found = first(where: { $0.name == name }) { return found }
        let near = NearestName.find(name, among: map(\.name)).map { "; did you mean '\($0)'?" } ?? "."
        throw ImpactError(
            .badInput, code: "csv_column",
            "\(path) has no column '\(name)' for --\(option)\(near) Its columns: "
                + NameList.text(map(\.name), limit: 24))
    }
}

extension String {
    /// The text without spaces and tabs around it.
    package var trimmed: String {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
