import Attribution
import AttributionStore
import Base
import Commands
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct CommandTests {
    @Test func runReportAndCompareOnTheCommandLine() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try Tables(seed: 31).write(database)
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

    @Test func csvInCSVOutIsWhatTheDatabaseHolds() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        let tables = Tables(seed: 32)
        try tables.write(database)
        try tables.writeCSV(scratch.path + "/in")
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

    @Test func eventsGiveTheJourneysOfTheTables() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        let tables = Tables(seed: 33)
        try tables.write(database)
        try database.execute("UPDATE session_sources SET holder_engagement = 1, closer_engagement = 1")
        var lines: [String] = []
        for row in tables.sessions {
            let channel = row[4]!.replacing("\"", with: "\\\"")
            lines.append(
                "{\"id\":\"\(row[0]!)\",\"user_id\":\"\(row[1]!)\",\"type\":\"click\",\"time\":\"\(row[2]!)T\(row[3]!)Z\","
                    + "\"channel\":\"\(channel)\"}")
        }
        for row in tables.conversions {
            lines.append(
                "{\"id\":\"\(row[0]!)\",\"user_id\":\"\(row[1]!)\",\"type\":\"purchase\",\"time\":\"\(row[2]!)T\(row[3]!)Z\","
                    + "\"value\":\(row[4]!)}")
        }
        lines.shuffle()
        let raw = try RawEvents(clock: try LocalClock(named: "UTC"))
        func add(_ line: String) throws {
            var text = line
            try text.withUTF8 { try raw.add(UnsafeRawBufferPointer($0), place: "events/0/\(raw.counts.events)") }
        }
        for line in lines { try add(line) }
        try add(lines[0])
        try add("{\"user_id\":1}")
        try add("{\"type\":\"purchase\",\"time\":5}")
        try add("{\"type\":\"ad_cost\",\"channel\":\"Referral\",\"date\":\"2024-10-10\",\"amount\":12.5}")
        try add("{\"type\":\"ad_cost\",\"channel\":\"Referral\"}")
        try add("{\"type\":\"refund\",\"user_id\":\"x\",\"time\":7,\"value\":3,\"order_id\":\"none\"}")
        try raw.finish(timeout: 0)
        #expect(try journeys(raw.database) == journeys(database))
        #expect(raw.counts.duplicates == 1 && raw.counts.invalid == 2 && raw.counts.costsWithoutDay == 1)
        #expect(raw.counts.refundsWithoutOrder == 1)
        let outcome = try run(raw.database, .linear)
        #expect(outcome.report.total.cost == Money(12.5))
    }

    @Test func silenceEndsASessionOfEvents() throws {
        let raw = try RawEvents(clock: try LocalClock(named: "UTC"))
        func add(_ type: String, _ minute: Int, _ channel: String = "a", _ more: String = "") throws {
            var text =
                "{\"user_id\":7,\"type\":\"\(type)\",\"time\":\(minute * 60_000),\"channel\":\"\(channel)\"\(more)}"
            try text.withUTF8 { try raw.add(UnsafeRawBufferPointer($0), place: "e/0/\(minute)") }
        }
        try add("ad_view", 1)
        try add("click", 20)
        try add("ad_view", 60)
        try add("ad_view", 61, "b")
        try add("purchase", 70, "b", ",\"value\":20")
        try add("refund", 90, "b", ",\"value\":5")
        try raw.finish(timeout: 30 * 60_000)
        #expect(raw.counts.sessions == 3)
        let lines = try journeys(raw.database)
        #expect(lines == ["e/0/70 15000000 e/0/1/a/60000/3 e/0/60/a/3600000/4 e/0/61/b/3660000/4"])
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
        let database = try scratch.database()
        try Tables(seed: 34, users: 4_000).write(database)
        _ = try run(database, .linear)
        let linear = try results(database)
        let copy = try scratch.database("other.db")
        try Tables(seed: 34, users: 4_000).write(copy)
        _ = try run(copy, .first)
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
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let after = try results(database)
            // Before or after the run, never between.
            #expect(after == linear || after == first)
            if after == linear { killed += 1 }
            if after == first { _ = try run(database, .linear) }
        }
        #expect(killed > 0)
        print("killed before the end in \(killed) of 12 runs")
    }
}
