import Base
import Foundation
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
    /// The mean of the numbers, and the sum of their squared differences from it.
    package var mean = 0.0
    private var squares = 0.0
    /// The distinct values as text, in the order of their appearance, while there are few (`mostLevels`); nil: more.
    package var levels: [String]? = []

    package struct FirstText: Sendable, Equatable {
        package var line: Int
        package var text: String
    }

    package static let mostLevels = 256

    /// A column of numbers, with nothing else but missing values.
    package var isNumeric: Bool { texts == 0 }
    /// What to take from the numbers so that a float32 holds their differences: nothing, unless they are far from 0 and alike.
    package var origin: Double {
        let deviation = (squares / Double(max(1, numbers))).squareRoot()
        return abs(mean) > Self.farAway * max(deviation, 1e-3) && abs(mean) > Self.farAway * deviation
            ? mean.rounded() : 0
    }
    private static let farAway = 1_000.0

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
            let away = value - mean
            mean += away / Double(numbers)
            squares += away * (value - mean)
            if value != value.rounded() { isWhole = false }
        case .missing: missing += 1
        case .notANumber, .outOfRange:
            if texts == 0 {
                firstText = FirstText(line: table.line, text: String(record.text(text, column).prefix(40)))
            }
            texts += 1
        }
        guard levels != nil else { return }
        let level = record.trimmedText(text, column)
        guard !level.isEmpty, levels?.contains(level) == false else { return }
        if levels?.count == Self.mostLevels { levels = nil } else { levels?.append(level) }
    }

    /// Looks at the first rows of a file.
    ///
    /// - Throws: `csv_…` naming file and line; `rows_empty` when there is no row.
    package static func read(path: String, rows: Int = 5_000) throws(ImpactError) -> [ColumnProfile] {
        var status = stat()
        guard path != "-", stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
            throw ImpactError(
                .usage, code: "rows_file",
                "training reads its rows more than once: give a file, not standard input, a pipe or a folder")
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
        let near =
            NearestName.find(name, among: map(\.name)).map { "; did you mean '\($0)'?" }
            ?? (count == 1 && (first?.name ?? "").contains(where: { ";\t|".contains($0) })
                ? "; the columns must be separated by commas." : ".")
        throw ImpactError(
            .badInput, code: "csv_column",
            "\(path) has no column '\(name)' for --\(option)\(near) Its columns: "
                + NameList.text(map(\.name), limit: 24))
    }
}
