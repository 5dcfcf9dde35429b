import Attribution
import AttributionStore
import Base
import Foundation
import Terminal

/// `impactiq attribute run`: credit and the channel report into a database, or into CSV files.
enum AttributeRun: Command {
    static let specification = CommandSpecification(
        "run", "Attribute conversions and write the credit and the channel report",
        discussion: """
            Writes attribution_customer_journey (conv_id, session_id, ihc) and channel_reporting (channel_name, date, cost, \
            ihc, ihc_revenue) in one transaction: a run that fails or is killed changes nothing, a run that is repeated \
            gives the same tables. With --since last only users with conversions from the last run's latest one, less the grace, on, \
            or without credit, are attributed anew; models that learn from all journeys (markov, shapley, data-driven) attribute all.
            """,
        options: AttributeOptions.source + [
            .value("model", "MODEL", "How credit is divided", default: "ihc"),
            .value("since", "last", "Go on from the last run in this database"),
            .value("grace", "DURATION", "With --since: how late sessions may come", default: "7d"),
            .value(
                "out", "PLACE",
                "Where results go: sqlite:PATH, postgresql://…, or a folder for CSV; default: the source"),
            .flag("json", "Print one JSON object"),
        ] + AttributeOptions.models,
        examples: [
            .init("impactiq attribute run --source sqlite:challenge.db --model markov --order 2", "all conversions"),
            .init("impactiq attribute run --source sqlite:challenge.db --since last", "each night"),
            .init("impactiq attribute run --source data/ --model linear --out results/", "CSV in, CSV out"),
        ])

    static func run(_ command: ParsedCommand) throws { try StopSignal.leavingAtOnce { try attribute(command) } }

    private static func attribute(_ command: ParsedCommand) throws {
        if AttributeInput.paths(command) != nil {
            // Paths have no conversions and sessions that a table could name.
            guard command.text("out") == nil else {
                throw command.invalid(
                    "out", "a file of paths gives channel totals, which are printed; use --json for a program")
            }
            return try AttributeCompare.compare(command)
        }
        let kind = try ModelKind(named: command.text("model") ?? "ihc")
        try IdleOptions.refuse(command, [kind])
        let input = try AttributeInput.open(command)
        var options = AttributionRun.Options()
        options.kind = kind
        options.models = try AttributeOptions.modelOptions(command)
        options.grace = try command.milliseconds("grace") ?? options.grace
        if let since = command.text("since") {
            guard since == "last" else { throw command.invalid("since", "must be last") }
            options.since = true
        }
        options.asked = try AskedOptions(command).json
        options.remarks = input.notes
        let wait = try command.milliseconds("lock-wait") ?? 5_000
        let out = command.text("out")
        let sink: any SQLDatabase
        if let out, !AttributeInput.isDatabase(out) { try AttributeInput.checkPath(out) }
        if let out, AttributeInput.isDatabase(out) {
            sink =
                try out == command.text("source") ? input.database : SQLPlace.open(out, creates: true, lockWait: wait)
        } else if out != nil || input.isDatabase {
            guard out == nil || !input.isDatabase else {
                throw command.invalid("out", "a folder takes the results of CSV files; a database keeps its own")
            }
            sink = input.database
        } else {
            throw ImpactError(
                .usage, code: "missing_option",
                "--out is missing: where results go, as the source keeps none: sqlite:PATH, postgresql://… or a folder")
        }
        guard try !RawEvents.areKept(in: sink) else {
            throw command.invalid("out", "'attribute follow' keeps its credit there: give another place")
        }
        let run = AttributionRun(
            source: input.database, sink: sink, reading: try AttributeOptions.reading(command), options: options,
            scores: input.scores,
            settingsText: try AttributeOptions.settingsText(command, kind.rawValue)
                + AttributeOptions.settingsText(options.models))
        var progress: (name: String, line: ProgressLine)?
        let outcome = try run.run { name, done in
            if progress?.name != name { progress = (name, ProgressLine(name, unit: "sessions")) }
            progress?.line.update(done)
        }
        if let out, !AttributeInput.isDatabase(out) { try AttributeFiles.export(sink, to: out) }
        if command.flag("json") {
            Terminal.Stream.output.write(AttributeText.json(outcome, kind.rawValue).line + "\n")
        } else {
            Terminal.Stream.output.write(AttributeText.text(outcome, kind.rawValue))
        }
    }
}

/// CSV files of results.
enum AttributeFiles {
    /// The two result tables as files of a folder.
    static func export(_ database: any SQLDatabase, to folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        removeLeftovers(folder)
        let credit = try OutputFile(folder + "/attribution_customer_journey.csv")
        try credit.append("conv_id,session_id,ihc\n")
        let rows = try database.query(
            "SELECT conv_id, session_id, ihc FROM attribution_customer_journey ORDER BY conv_id, session_id", [])
        while try rows.next() {
            try credit.append(
                "\(CSVText.field(rows.text(0) ?? "")),\(CSVText.field(rows.text(1) ?? "")),\(CSVText.number(rows.double(2)))\n"
            )
        }
        let report = try file(of: try StoredReport.read(database), at: folder + "/channel_reporting.csv")
        // Both are whole before either is put in its place.
        for file in [credit, report] { try file.prepare() }
        for file in [credit, report] { try file.finish() }
    }

    /// What a run that was killed left half written goes: it holds users' data.
    private static func removeLeftovers(_ folder: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasSuffix(".partial")
            && [".attribution_customer_journey.csv.", ".channel_reporting.csv."].contains(where: { name.hasPrefix($0) })
        {
            let path = folder + "/" + name
            var status = stat()
            // Another run may be at work on a younger one.
            if lstat(path, &status) == 0, time(nil) - status.st_mtim.tv_sec > 3_600 { unlink(path) }
        }
    }

    /// The channel report with CPO and ROAS.
    static func report(_ report: ChannelReport, to path: String) throws(ImpactError) {
        try file(of: report, at: path).finish()
    }

    private static func file(of report: ChannelReport, at path: String) throws(ImpactError) -> OutputFile {
        let file = try OutputFile(path)
        try file.append("channel_name,date,cost,ihc,ihc_revenue,CPO,ROAS\n")
        for line in report.lines where line.creditRows + line.costRows > 0 {
            let numbers = [line.cost.amount, line.credit, line.revenue, line.cpo, line.roas].map(CSVText.number)
            try file.append(
                "\(CSVText.field(line.channel)),\(CivilDay.text(line.day ?? 0)),\(numbers.joined(separator: ","))\n")
        }
        return file
    }
}
