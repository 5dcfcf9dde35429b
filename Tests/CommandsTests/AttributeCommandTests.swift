import AttributionStore
import Commands
import Foundation
import TestSupport
import Testing

/// A team's tables with random users.
private enum AttributeTables {
    static func write(_ database: any SQLDatabase, users: Int = 150) throws {
        var generator = SeededGenerator(seed: 31)
        let channels = ["Paid Search", "Direct Traffic", "Newsletter & Email", "Social, organic"]
        try database.execute(
            """
            CREATE TABLE session_sources (session_id TEXT PRIMARY KEY, user_id TEXT, event_date TEXT, event_time TEXT, \
            channel_name TEXT, holder_engagement INTEGER, closer_engagement INTEGER, impression_interaction INTEGER);
            CREATE TABLE conversions (conv_id TEXT PRIMARY KEY, user_id TEXT, conv_date TEXT, conv_time TEXT, revenue REAL);
            CREATE TABLE session_costs (session_id TEXT PRIMARY KEY, cost REAL);
            BEGIN
            """)
        for user in 0..<users {
            for index in 0..<Int.random(in: 1...6, using: &generator) {
                let day = Int.random(in: 10...24, using: &generator), hour = Int.random(in: 10...23, using: &generator)
                let channel = channels.randomElement(using: &generator) ?? ""
                let engaged = Int.random(in: 0...1, using: &generator)
                try database.execute(
                    """
                    INSERT INTO session_sources VALUES ('s\(user)-\(index)', 'u\(user)', '2024-03-\(day)', '\(hour):00:00', \
                    '\(channel)', \(engaged), 1, 0);
                    INSERT INTO session_costs VALUES ('s\(user)-\(index)', \(index % 3))
                    """)
            }
            for index in 0..<Int.random(in: 0...2, using: &generator) {
                let day = Int.random(in: 12...26, using: &generator)
                try database.execute(
                    "INSERT INTO conversions VALUES ('c\(user)-\(index)', 'u\(user)', '2024-03-\(day)', '12:30:00', \(user % 90 + 5))"
                )
            }
        }
        try database.execute("COMMIT")
    }

    static func writeCSV(_ database: any SQLDatabase, _ folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for table in ["session_sources", "conversions", "session_costs"] {
            let columns = try database.columns(of: table)
            var lines = [columns.joined(separator: ",")]
            let rows = try database.query("SELECT * FROM \(table)", [])
            while try rows.next() {
                lines.append(columns.indices.map { "\"\(rows.text($0) ?? "")\"" }.joined(separator: ","))
            }
            try lines.joined(separator: "\n").write(toFile: folder + "/\(table).csv", atomically: true, encoding: .utf8)
        }
    }
}

/// A folder that goes with the test.
private final class Scratch {
    let path: String
    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "attribute-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func database(_ name: String = "team.db") throws -> SQLiteDatabase {
        try SQLiteDatabase(path: path + "/" + name, creates: true, lockWait: 5_000)
    }
}

/// Both result tables as text.
private func results(_ database: any SQLDatabase) throws -> [String] {
    var lines: [String] = []
    let credit = try database.query("SELECT conv_id, session_id, ihc FROM attribution_customer_journey", [])
    while try credit.next() { lines.append("\(credit.text(0)!) \(credit.text(1)!) \(credit.double(2)!)") }
    let report = try database.query("SELECT channel_name, date, cost, ihc, ihc_revenue FROM channel_reporting", [])
    while try report.next() {
        lines.append(
            "\(report.text(0)!) \(report.text(1)!) \(report.double(2)!) \(report.double(3)!) \(report.double(4)!)")
    }
    return lines.sorted()
}

@Suite("attribute on the command line", .serialized)
struct AttributeCommandTests {
    @Test func runReportAndCompareOnTheCommandLine() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try AttributeTables.write(database)
        let place = "sqlite:\(scratch.path)/team.db"
        let base = ["attribute", "run", "--source", place]
        #expect(CommandLineTool.run(base + ["--model", "ihc"]) == 0)
        #expect(CommandLineTool.run(base + ["--model", "ihc", "--since", "last", "--json"]) == 0)
        let csv = scratch.path + "/report.csv"
        let page = scratch.path + "/report.html"
        #expect(CommandLineTool.run(["attribute", "report", "--source", place, "--csv", csv, "--html", page]) == 0)
        let lines = try String(contentsOfFile: csv, encoding: .utf8).split(separator: "\n")
        #expect(lines[0] == "channel_name,date,cost,ihc,ihc_revenue,CPO,ROAS")
        // Organic and direct channels are like others here; the rows are those of the table.
        #expect(String(lines.count - 1) == (try database.value("SELECT count(*) FROM channel_reporting")))
        let html = try String(contentsOfFile: page, encoding: .utf8)
        #expect(
            html.hasPrefix("<!DOCTYPE html>") && html.contains("Paths to conversion")
                && html.contains("Credit by model"))
        #expect(!html.contains("http://") && !html.contains("https://") && !html.contains("<script"))
        let permissions = try FileManager.default.attributesOfItem(atPath: csv)[.posixPermissions] as? Int
        #expect(permissions == 0o600)
        let before = try results(database)
        #expect(CommandLineTool.run(["attribute", "compare", "--source", place, "--json"]) == 0)
        #expect(try results(database) == before)
        #expect(CommandLineTool.run(base + ["--model", "markof"]) == 64)
        #expect(CommandLineTool.run(base + ["--since", "monday"]) == 64)
        #expect(CommandLineTool.run(base + ["--time-zone", "Mars/Base"]) == 64)
        #expect(CommandLineTool.run(["attribute", "run", "--source", "sqlite:\(scratch.path)/none.db"]) == 65)
    }

    /// Who gives an option that can do nothing believes in it.
    @Test(arguments: [
        ["--from", "2024-01-01"], ["--input", "x.jsonl"], ["--session-timeout", "1h"], ["--order", "3"],
        ["--redistribute-direct"], ["--grace", "3d"], ["--rate", "USD=2"], ["--channels", ""], ["--half-life", "1d"],
        ["--currency", "EUR", "--rate", "USD=2", "--rate", "usd=3"], ["--seed", "3"],
    ]) func optionsThatCanDoNothingAreRefused(_ options: [String]) throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try AttributeTables.write(database, users: 5)
        let run = ["attribute", "run", "--source", "sqlite:\(scratch.path)/team.db", "--model", "linear"]
        #expect(CommandLineTool.run(run) == 0)
        #expect(CommandLineTool.run(run + options) == 64)
    }

    /// The page's pictures are of the run whose credit it shows.
    @Test func theReportIsMadeWithTheOptionsOfTheRun() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try AttributeTables.write(database)
        let place = "sqlite:\(scratch.path)/team.db"
        let rules = scratch.path + "/rules.json"
        try #"[{"campaign":"x*","channel":"Ruled"}]"#.write(toFile: rules, atomically: true, encoding: .utf8)
        #expect(
            CommandLineTool.run([
                "attribute", "run", "--source", place, "--model", "markov", "--lookback", "2d", "--cut",
                "--channel-rules",
                rules,
            ]) == 0)
        // The run's own copy of the file is used.
        try FileManager.default.removeItem(atPath: rules)
        let page = scratch.path + "/report.html"
        func written(_ more: [String]) throws -> String {
            #expect(CommandLineTool.run(["attribute", "report", "--source", place, "--html", page] + more) == 0)
            return try String(contentsOfFile: page, encoding: .utf8)
        }
        let html = try written([])
        #expect(html.contains("--channel-rules (a file) --lookback 2d --model markov --cut"))
        let notes = try StoredReport.lastRun(database).notes
        #expect(notes.contains { $0.contains("without a session before them") })
        #expect(html.components(separatedBy: "without a session before them").count == 2)
        #expect(!html.contains("other options than those of the run"))
        #expect(try written(["--lookback", "9d"]).contains("other options than those of the run: --lookback"))
    }

    @Test func csvInCSVOutIsWhatTheDatabaseHolds() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try AttributeTables.write(database)
        try AttributeTables.writeCSV(database, scratch.path + "/in")
        let out = scratch.path + "/out"
        #expect(
            CommandLineTool.run([
                "attribute", "run", "--source", scratch.path + "/in", "--model", "markov", "--order", "2", "--out", out,
            ]) == 0)
        #expect(
            CommandLineTool.run([
                "attribute", "run", "--source", "sqlite:\(scratch.path)/team.db", "--model", "markov", "--order", "2",
            ]) == 0)
        let rows = try String(contentsOfFile: out + "/attribution_customer_journey.csv", encoding: .utf8).split(
            separator: "\n")
        let stored = try database.query(
            "SELECT conv_id, session_id, ihc FROM attribution_customer_journey ORDER BY 1, 2", [])
        var index = 1
        while try stored.next() {
            let parts = rows[index].split(separator: ",")
            #expect(parts[0] == stored.text(0)! && parts[1] == stored.text(1)! && Double(parts[2]) == stored.double(2))
            index += 1
        }
        #expect(index == rows.count)
        #expect(CommandLineTool.run(["attribute", "run", "--source", scratch.path + "/in"]) == 64)
    }

    /// The program beside the tests, killed at moments of its run.
    @Test func aKilledRunLeavesTheTablesWhole() throws {
        let program = Bundle.main.executableURL?.deletingLastPathComponent().appending(path: "impactiq").path ?? ""
        let candidates = [program, SharedMaterial.repository.appending(path: ".build/release/impactiq").path]
        guard let binary = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            print("skipped: the kill test needs the program impactiq beside the tests")
            return
        }
        let scratch = try Scratch()
        func run(_ model: String, _ file: String) -> Int32 {
            CommandLineTool.run(["attribute", "run", "--source", "sqlite:\(scratch.path)/\(file)", "--model", model])
        }
        let database = try scratch.database()
        try AttributeTables.write(database, users: 4_000)
        #expect(run("linear", "team.db") == 0)
        let linear = try results(database)
        let copy = try scratch.database("other.db")
        try AttributeTables.write(copy, users: 4_000)
        #expect(run("first", "other.db") == 0)
        let first = try results(copy)
        var killed = 0
        for round in 0..<12 {
            let process = Process()
            process.executableURL = URL(filePath: binary)
            process.arguments = [
                "attribute", "run", "--source", "sqlite:\(scratch.path)/team.db", "--model", "first", "--lookback",
                "30d",
            ]
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            usleep(UInt32(5_000 + round * 25_000))
            kill(process.processIdentifier, round % 2 == 0 ? SIGKILL : SIGTERM)
            process.waitUntilExit()
            let after = try results(database)
            // Before or after the run, never between.
            #expect(after == linear || after == first)
            if after == linear { killed += 1 }
            if after == first { #expect(run("linear", "team.db") == 0) }
        }
        #expect(killed > 0)
        print("killed before the end in \(killed) of 12 runs")
    }
}
