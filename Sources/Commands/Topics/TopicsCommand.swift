import Base
import Kafka
import Pipeline
import Settings
import Terminal

/// `impactiq topics`: makes and checks the topics that the configuration needs.
enum TopicsCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [
        TopicsCreateCommand.self, TopicsCheckCommand.self, TopicsGrowth.self,
    ]
    static let specification = CommandSpecification(
        "topics", "Create, check or grow the topics that the configuration needs",
        sharedOptions: ConfigurationOptions.options, subcommands: subcommands.specifications)

    /// Runs `body` with the configuration, whose topics do not collide, and an admin client.
    static func run(
        _ command: ParsedCommand, _ body: (ParsedCommand, Configuration, Admin) throws -> Void
    ) throws {
        let configuration = try ConfigurationOptions.load(command)
        try TopicRoles.check(configuration)
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        defer { admin.close() }
        try body(command, configuration, admin)
    }

    /// The topics of a configuration, as they should be.
    static func plans(_ configuration: Configuration, partitions: Int) -> [TopicPlan] {
        configuration.inputTopics.map { .events($0, partitions: partitions) } + [
            .scores(configuration.outputTopic, partitions: partitions),
            .deadLetter(configuration.deadLetterTopic, partitions: partitions),
            .changelog(configuration.changelogTopic, partitions: partitions),
        ]
    }

    fileprivate static func create(_ command: ParsedCommand, _ configuration: Configuration, _ admin: Admin) throws {
        var partitions = try command.count("partitions") ?? 4
        guard (1...10_000).contains(partitions) else { throw command.invalid("partitions", "must be 1 to 10000") }
        let replication = try command.count("replication") ?? -1
        // State stays in its partition: what is missing gets as many partitions as the input or the state that is there.
        if !command.isGiven("partitions") {
            for topic in configuration.inputTopics + [configuration.changelogTopic] {
                guard let existing = try admin.describe(topic) else { continue }
                partitions = existing.partitions
                break
            }
        }
        let retention = try retention(command)
        let plans = plans(configuration, partitions: partitions).map { plan in
            var plan = plan
            plan.replicationFactor = replication
            if plan.name == configuration.outputTopic { plan.settings["retention.ms"] = "\(retention)" }
            return plan
        }
        let created = try admin.create(plans)
        var table = Table(.text("topic"), .number("partitions"), .text("result"))
        for plan in plans {
            let isNew = created[plan.name] == .created
            let count = isNew ? plan.partitions : try admin.describe(plan.name)?.partitions ?? 0
            let isOther = command.isGiven("partitions") && count != partitions
            table.add(
                plan.name, "\(count)",
                isNew ? "created" : "was there" + (isOther ? ", not with the \(partitions) asked for" : ""))
        }
        Terminal.Stream.output.write(table.text())
        let layout = try TopicLayout.check(configuration, admin: admin)
        for remark in layout.remarks(configuration) { Terminal.Stream.output.write("note: \(remark)\n") }
    }

    private static func retention(_ command: ParsedCommand) throws -> Int64 {
        if command.text("output-retention") == "forever" { return -1 }
        guard let retention = try command.milliseconds("output-retention"), retention > 0 else {
            throw command.invalid("output-retention", "must be longer than nothing, or forever")
        }
        return retention
    }

    fileprivate static func check(_ command: ParsedCommand, _ configuration: Configuration, _ admin: Admin) throws {
        let layout = try TopicLayout.check(configuration, admin: admin)
        try GrowthMark.check(configuration, admin)
        let remarks = try layout.remarks(configuration) + ranges(configuration, admin)
        if command.flag("json") {
            let object: JSONOutput = [
                "input_partitions": .integer(layout.inputPartitions),
                "output_partitions": .integer(layout.outputPartitions),
                "dead_letter_partitions": .integer(layout.deadLetterPartitions),
                "dead_letter_max_bytes": .integer(layout.deadLetterBytes),
                "output_retention_ms": layout.outputRetentionMilliseconds.map { .integer(Int($0)) } ?? .null,
                "notes": .array(remarks.map { .text($0) }),
            ]
            Terminal.Stream.output.write(object.line + "\n")
            return
        }
        var table = Table(.text("topic"), .number("partitions"), .text("role"))
        for input in configuration.inputTopics { table.add(input, "\(layout.inputPartitions)", "events in") }
        table.add(configuration.outputTopic, "\(layout.outputPartitions)", "scores out")
        table.add(configuration.deadLetterTopic, "\(layout.deadLetterPartitions)", "rejected events")
        table.add(configuration.changelogTopic, "\(layout.inputPartitions)", "state")
        Terminal.Stream.output.write(table.text())
        for remark in remarks { Terminal.Stream.output.write("note: \(remark)\n") }
    }

    /// Whether retention has taken what somebody still needs: unread events, and scores.
    private static func ranges(_ configuration: Configuration, _ admin: Admin) throws -> [String] {
        var remarks: [String] = []
        let committed = try admin.committedOffsets(ofGroup: configuration.applicationID, stable: false)
        for topic in configuration.inputTopics {
            for (number, marks) in try admin.watermarks(ofTopic: topic).enumerated() {
                let place = TopicPartition(topic, Int32(number))
                guard let offset = committed[place], offset < marks.low else { continue }
                remarks.append(
                    "\(place): offsets \(offset) to \(marks.low - 1) were removed by retention before they were read")
            }
        }
        let gone = try admin.watermarks(ofTopic: configuration.outputTopic).reduce(0) { $0 + $1.low }
        if gone > 0 {
            remarks.append(
                "\(configuration.outputTopic): the first \(gone) offsets of its partitions were removed by retention; a log "
                    + "store that has not stored them cannot any more")
        }
        return remarks
    }
}

/// `impactiq topics create`.
enum TopicsCreateCommand: Command {
    static let specification = CommandSpecification(
        "create", "Create the topics that are missing",
        discussion: """
            The input topics, the output topic, the dead-letter topic and the compacted changelog of the state. A \
            topic that exists is left as it is; what then does not fit is said, with exit status 78. Scores bear the time \
            of their events, so a retention by time would drop the scores of old events within minutes: unless \
            --output-retention says otherwise, the output topic keeps everything.
            """,
        options: [
            .value(
                "partitions", "N",
                "Partitions of each topic that is created; default: as the input or the changelog that is there, else 4"
            ),
            .value("replication", "N", "Copies of each partition; the broker's default when not given"),
            .value(
                "output-retention", "DURATION", "How long the output topic keeps scores, as 30d, or forever",
                default: "forever"),
        ],
        examples: [
            .init(
                "impactiq topics create --partitions 12 --set bootstrap.servers=kafka:9092", "all four topics")
        ])

    static func run(_ command: ParsedCommand) throws { try TopicsCommand.run(command, TopicsCommand.create) }
}

/// `impactiq topics check`.
enum TopicsCheckCommand: Command {
    static let specification = CommandSpecification(
        "check", "Check that the topics exist and fit each other",
        options: [.flag("json", "Print one JSON object")],
        examples: [
            .init("impactiq topics check --config impactiq.properties", "exit status 0 when all is well")
        ])

    static func run(_ command: ParsedCommand) throws { try TopicsCommand.run(command, TopicsCommand.check) }
}
