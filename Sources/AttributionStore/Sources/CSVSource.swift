import Attribution
import Base
import Foundation
import Tabular

/// CSV files as tables of a temporary database, which brings them into the order of the users in bounded memory.
package enum CSVSource {
    /// Which table a heading belongs to.
    private static func table(_ columns: [String]) -> String? {
        let known = Set(columns)
        if known.contains("conv_id") { return known.contains("user_id") ? "conversions" : "refunds" }
        if known.contains("session_id") { return known.contains("user_id") ? "session_sources" : "session_costs" }
        if known.contains("uplift"), known.contains("user_id"), known.contains("time") { return "scores" }
        return known.contains("amount") && known.contains("date") ? "ad_costs" : nil
    }

    /// Loads files; a folder stands for the CSV files in it.
    ///
    /// - Throws: `csv_table` when a heading fits none of the tables.
    package static func load(_ paths: [String], progress: ((Int) -> Void)? = nil) throws(ImpactError) -> SQLiteDatabase
    {
        let database = try SQLiteDatabase(temporaryIn: FileManager.default.temporaryDirectory.path)
        var files: [String] = []
        for path in paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw ImpactError(.badInput, code: "csv_open", "there is no file or folder \(path)")
            }
            if isFolder.boolValue {
                let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
                files += names.filter { $0.hasSuffix(".csv") }.sorted().map { path + "/" + $0 }
            } else {
                files.append(path)
            }
        }
        var rows = 0
        for file in files { try load(file, into: database, isNamed: paths.contains(file), &rows, progress) }
        let tables = try database.query("SELECT name FROM sqlite_master WHERE type = 'table'", [])
        guard try tables.next() else {
            throw ImpactError(
                .badInput, code: "csv_table",
                "\(paths.joined(separator: ", ")): no CSV file there has the heading of a table: sessions need session_id and "
                    + "user_id, conversions conv_id and user_id")
        }
        return database
    }

    private static func load(
        _ path: String, into database: SQLiteDatabase, isNamed: Bool, _ rows: inout Int, _ progress: ((Int) -> Void)?
    ) throws(ImpactError) {
        if (try? FileHandle(forReadingAtPath: path)?.read(upToCount: 16))?.starts(with: "SQLite format 3".utf8) == true
        {
            throw ImpactError(
                .badInput, code: "csv_table", "\(path) is an SQLite database: write sqlite:\(path)")
        }
        let file = try CSVTable(path: path)
        let columns = file.columns.map { $0.lowercased() }
        guard let table = table(columns) else {
            if columns.count == 1, let separator = [";", "\t", "|"].first(where: { columns[0].contains($0) }),
                columns[0].contains("session_id") || columns[0].contains("conv_id")
            {
                throw ImpactError(
                    .badInput, code: "csv_table",
                    "\(path): its fields are separated by '\(separator == "\t" ? "tab" : separator)': write it with commas"
                )
            }
            // Other files may lie in a folder.
            guard isNamed else { return }
            throw ImpactError(
                .badInput, code: "csv_table",
                "\(path): its heading (\(columns.prefix(12).joined(separator: ", "))) fits no table: sessions need session_id "
                    + "and user_id, conversions conv_id and user_id, costs session_id and cost, refunds conv_id and amount, "
                    + "ad costs channel_name, date and amount")
        }
        let names = columns.map { "\"" + $0.replacing("\"", with: "\"\"") + "\"" }
        if try database.columns(of: table).isEmpty {
            try database.execute("CREATE TABLE \(table) (" + names.joined(separator: ", ") + ")")
        }
        try database.execute("BEGIN")
        let insertion = try database.insertion(into: table, columns: names, suffix: "")
        var values = [SQLValue](repeating: .null, count: columns.count)
        while try file.advance() {
            for index in columns.indices {
                let text = file.record.text(file.text, index)
                values[index] = text.isEmpty ? .null : .text(text)
            }
            try insertion.add(values)
            rows += 1
            if rows & 0xFFFF == 0 { progress?(rows) }
        }
        try database.execute("COMMIT")
        if table == "session_costs" {
            try database.execute("CREATE INDEX IF NOT EXISTS session_costs_session ON session_costs (session_id)")
        }
    }
}
