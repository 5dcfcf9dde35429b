import Base
import Features
import Foundation
import Service
import Simulation
import Terminal

/// `impactiq demo`: the whole product on one machine, and `impactiq demo rows`, the training rows of its model.
enum DemoCommand: Command {
    static let subcommands: [any Command.Type] = [DemoRowsCommand.self]
    static let specification = CommandSpecification(
        "demo", "The whole product on an embedded broker, nothing to set up",
        discussion: """
            A simulated ad trial with known effects flows through an embedded Kafka broker (librdkafka's mock cluster), the \
            pipeline keeps every user's rolling features and scores each ad view and click with a causal forest, and the \
            published scores are compared with the truth. The embedded broker gives at-least-once; a real one gives \
            exactly-once.
            """,
        options: [
            .value("for", "DURATION", "Stop by itself after this time, as 30s or 5m; until Ctrl-C when not given"),
            .value("rate", "N", "Events per second; 0 is as fast as it goes", default: "20k"),
            .value("users", "N", "How many people there are", default: "5000"),
            .value("seed", "S", "Seed of the trial", default: "7"),
            .value("partitions", "N", "Partitions of the topics", default: "8"),
            .value("workers", "N", "Threads of the pipeline", default: "1"),
            .value("model", "FILE", "Score with this model instead of the demo's own"),
            .value(
                "listen", "HOST:PORT", "Where the dashboard is, or none; a free port when this one is taken",
                default: "127.0.0.1:8080"),
            .flag("json", "Print one JSON object per second instead of the table"),
        ],
        examples: [
            .init("impactiq demo --for 30s", "half a minute, then the summary"),
            .init("impactiq demo --rate 0 --users 200k", "as fast as this machine goes"),
        ],
        subcommands: subcommands.specifications,
        runsAlone: true)

    static func run(_ command: ParsedCommand) throws {
        var settings = DemoSettings()
        settings.trial.seed = try command.seed("seed") ?? settings.trial.seed
        settings.trial.users = try command.count("users") ?? settings.trial.users
        settings.trial.duplicates = 0.002
        settings.trial.outOfOrder = 0.01
        settings.trial.invalid = 0.001
        try settings.trial.check()
        settings.rate = Double(try command.count("rate") ?? 20_000)
        settings.duration = try command.milliseconds("for").map { Double($0) / 1000 }
        settings.partitions = try command.count("partitions") ?? 8
        guard (1...256).contains(settings.partitions) else { throw command.invalid("partitions", "must be 1 to 256") }
        settings.workers = try command.count("workers") ?? 1
        guard (1...256).contains(settings.workers) else { throw command.invalid("workers", "must be 1 to 256") }
        settings.model = try DemoFiles.model(command.text("model"))
        settings.printsJSON = command.flag("json")
        let listen = command.text("listen") ?? "none"
        settings.listen = listen == "none" ? nil : try ListenAddress(parsing: listen)
        try DemoSession(settings).run()
    }
}

/// `impactiq demo rows`: the training rows of the demo's model.
enum DemoRowsCommand: Command {
    static let specification = CommandSpecification(
        "rows", "Write labelled training rows of the simulated trial",
        discussion: """
            One row per assignment of the trial: the features as the stream computes them at that event, arm, \
            propensity, outcome, and the truth. examples/demo/train trains the demo's model on them.
            """,
        options: [
            .value("out", "FILE", "CSV to write; - is standard output", required: true),
            .value("features", "FILE", "Feature specification instead of the demo's own"),
            .value("rows", "N", "How many rows", default: "100k"),
            .value("users", "N", "How many people there are", default: "20000"),
            .value("seed", "S", "Seed of the trial", default: "101"),
            .value("warm-up", "DURATION", "Event time before the first row", default: "1d"),
            .value("every", "N", "Keep one assignment in N", default: "2"),
        ],
        examples: [
            .init("impactiq demo rows --rows 100k --out train.csv", "training rows for `impactiq train`")
        ])

    static func run(_ command: ParsedCommand) throws {
        guard let output = command.text("out") else { throw command.invalid("out", "name the CSV to write") }
        let features = try DemoFiles.features(command.text("features"))
        let specification = try FeatureSpecification(json: try OpenFile.contents(of: features), name: features)
        var settings = TrialSettings()
        settings.seed = try command.seed("seed") ?? 101
        settings.users = try command.count("users") ?? 20_000
        let every = try command.count("every") ?? 2
        guard every > 0 else { throw command.invalid("every", "must be 1 or more") }
        let rows = try TrialRows(settings, specification: specification)
        let file = try OutputFile(output)
        try rows.write(
            try command.count("rows") ?? 100_000, warmUp: try command.milliseconds("warm-up") ?? 0, every: every,
            to: file)
        try file.finish()
    }
}
