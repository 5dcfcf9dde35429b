import Base
import CPostgres
import Foundation
import Terminal
import TestSupport

/// The scenarios as commands: runs one, prints its table, appends its result.
struct SoakTool {
    static let options: [CommandSpecification.Option] = [
        .value("seconds", "N", "How long events arrive"),
        .value("rate", "N", "Events per second", default: "20000"),
        .value("seed", "S", "Seed of the stream and of the disturbance", default: "1"),
        .value("users", "N", "How many people the events are of", default: "20000"),
        .value("partitions", "N", "Partitions of the input", default: "6"),
        .value("set", "KEY=VALUE", "More configuration of the disturbed processes", repeated: true),
    ]

    static let scenarios: [(name: String, summary: String, seconds: Int)] = [
        ("random-kills", "kill -9 one of three processes every 2 to 8 s while events arrive", 600),
        ("zombie", "Stop a process past its session, let it go on", 80),
        ("scale", "From 1 to 4 workers in two processes, and back", 75),
        ("brokers", "Three brokers: kill one, freeze one for 30 s, restart all in turn", 90),
        ("postgres", "PostgreSQL crashes and restarts under load", 60),
        ("disk-full", "The disk of log store and state is full for a while, twice", 60),
    ]

    static func specifications(_ shared: [CommandSpecification.Option]) -> [CommandSpecification] {
        scenarios.map { scenario in
            CommandSpecification(
                scenario.name, scenario.summary,
                options: shared
                    + options.map { option in
                        var option = option
                        if option.name == "seconds" { option.defaultValue = "\(scenario.seconds)" }
                        return option
                    },
                examples: [.init("scripts/reliability \(scenario.name)", "the run in docs/reliability.md")])
        }
    }

    static func run(_ command: ParsedCommand, _ site: TestSite) throws -> Bool {
        let name = command.path.last ?? ""
        var settings = Soak.Settings()
        settings.seconds = try command.number("seconds") ?? 60
        settings.rate = try command.number("rate") ?? 20_000
        settings.seed = try command.seed("seed") ?? 1
        settings.users = try command.count("users") ?? 20_000
        settings.partitions = try command.count("partitions") ?? 6
        settings.settings = command.texts("set")
        let start = ContinuousClock.now
        let outcome = try run(name, settings, site)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        print(name, settings, outcome)
        var results = try ResultFile(command.text("results"))
        try results.append(
            ([name, "\(settings.seed)", "\(Int(settings.seconds))s"] + settings.settings).joined(separator: "/"),
            problems: outcome.problems,
            [
                (name: "messages", value: .integer(outcome.messages)),
                (name: "scores", value: .integer(outcome.scores)),
                (name: "seconds", value: .number(seconds)),
                (
                    name: "measured",
                    value: .object(outcome.measured.map { (name: $0.name, value: .text($0.value)) })
                ),
            ])
        return outcome.problems.isEmpty
    }

    private static func run(_ name: String, _ given: Soak.Settings, _ site: TestSite) throws -> Soak.Outcome {
        var settings = given
        let prefix = "\(name)-\(settings.seed)-\(ProcessInfo.processInfo.processIdentifier)"
        switch name {
        case "random-kills":
            settings.logStore = .sqlite
            return try Soak(site, name: prefix, settings).run { try Scenario.randomKills($0) }
        case "zombie": return try Soak(site, name: prefix, settings).run(Scenario.zombie)
        case "scale": return try Soak(site, name: prefix, settings).run(Scenario.scale)
        case "brokers":
            guard let script = ProcessInfo.processInfo.environment["IMPACTIQ_TEST_BROKER"] else {
                throw ImpactError(
                    .usage, code: "no_script", "brokers needs the brokers that scripts/reliability starts")
            }
            return try Soak(site, name: prefix, settings).run { try Scenario.brokers($0, script: script) }
        case "postgres":
            guard let server = TestPostgres() else {
                throw ImpactError(.failed, code: "no_postgres", "PostgreSQL's server is not installed")
            }
            settings.logStore = .postgresql(url: try server.freshSchema("soak"))
            return try Soak(site, name: prefix, settings).run { try Scenario.postgres($0, server: server) }
        default:
            let disk = try SmallDisk(path: "\(site.folder)/\(prefix)-disk", bytes: 512 << 20)
            settings.logStore = .file(path: "\(disk.path)/scores.db")
            // A pass into the local copy every second: some fall into the time when the disk is full.
            settings.settings += ["state.dir=\(disk.path)/state", "state.checkpoint.interval.ms=1000"]
            return try Soak(site, name: prefix, settings).run { try Scenario.diskFull($0, disk: disk) }
        }
    }

    private static func print(_ name: String, _ settings: Soak.Settings, _ outcome: Soak.Outcome) {
        var table = Table(.text(name), .text("seed \(settings.seed)"))
        table.add("events", HumanNumber.grouped(outcome.messages))
        table.add(
            "events per second while they arrived",
            HumanNumber.grouped(Int(Double(outcome.messages) / settings.seconds)))
        for (name, value) in outcome.measured { table.add(name, value) }
        table.add("last event to last commit", String(format: "%.1f s", outcome.drained))
        table.add("scores", HumanNumber.grouped(outcome.scores))
        table.add("dead letters", HumanNumber.grouped(outcome.deadLetters))
        table.add("users in state", HumanNumber.grouped(outcome.users))
        if settings.logStore != .none || outcome.rows > 0 {
            table.add("rows in the log store", HumanNumber.grouped(outcome.rows))
        }
        table.add("equal to an undisturbed run", outcome.problems.isEmpty ? "yes" : "NO")
        Terminal.Stream.output.write(table.text())
        for problem in outcome.problems { Terminal.Stream.output.write("problem: \(problem)\n") }
    }
}

extension TestPostgres {
    /// An empty schema, and the URL that leads to it.
    func freshSchema(_ name: String) throws -> String {
        let schema = name.replacing("-", with: "_")
        let url = url(schema: schema)
        let connection = PQconnectdb(url)
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        defer { PQfinish(connection) }
        for sql in ["DROP SCHEMA IF EXISTS \(schema) CASCADE", "CREATE SCHEMA \(schema)"] {
            let result = PQexec(connection, sql)
            defer { PQclear(result) }
            guard PQresultStatus(result) == PGRES_COMMAND_OK else {
                throw ImpactError(.failed, code: "schema", String(cString: PQerrorMessage(connection)))
            }
        }
        return url
    }
}
