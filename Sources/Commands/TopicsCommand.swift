import Base
import Kafka
import Pipeline
import Settings
import Terminal

/// `impactiq topics`: makes and checks the topics that the configuration needs.
enum TopicsCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [TopicsCreateCommand.self, TopicsCheckCommand.self]
    static let specification = CommandSpecification(
        "topics", "Create or check the topics that the configuration needs",
        sharedOptions: ConfigurationOptions.options, subcommands: subcommands.specifications)

    /// Runs `body` with the configuration and an admin client.
    fileprivate static func run(
        _ command: ParsedCommand, _ body: (ParsedCommand, Configuration, Admin) throws -> Void
    ) throws {
        let configuration = try ConfigurationOptions.load(command)
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
        // State moves with its partition: what is missing gets as many partitions as the input that is there.
        if !command.isGiven("partitions"), let input = configuration.inputTopics.first,
            let existing = try admin.describe(input)
        {
            partitions = existing.partitions
        }
        let plans = plans(configuration, partitions: partitions).map { plan in
            var plan = plan
            plan.replicationFactor = replication
            return plan
        }
        let created = try admin.create(plans)
        var table = Table(.text("topic"), .number("partitions"), .text("result"))
        for plan in plans {
            let isNew = created[plan.name] == .created
            let count = isNew ? plan.partitions : try admin.describe(plan.name)?.partitions ?? 0
            table.add(plan.name, "\(count)", isNew ? "created" : "was there")
        }
        Terminal.Stream.output.write(table.text())
    }

    fileprivate static func check(_ command: ParsedCommand, _ configuration: Configuration, _ admin: Admin) throws {
        let layout = try TopicLayout.check(configuration, admin: admin)
        if command.flag("json") {
            let object: JSONOutput = [
                "input_partitions": .integer(layout.inputPartitions),
                "output_partitions": .integer(layout.outputPartitions),
                "dead_letter_partitions": .integer(layout.deadLetterPartitions),
                "dead_letter_max_bytes": .integer(layout.deadLetterBytes),
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
        if layout.outputPartitions != layout.inputPartitions {
            Terminal.Stream.output.write(
                "note: \(configuration.outputTopic) has another count of partitions than the input: scores are placed by "
                    + "their key\n")
        }
    }
}

/// `impactiq topics create`.
enum TopicsCreateCommand: Command {
    static let specification = CommandSpecification(
        "create", "Create the topics that are missing",
        discussion: """
            The input topics, the output topic, the dead-letter topic and the compacted changelog of the state. A \
            topic that exists is left as it is.
            """,
        options: [
            .value("partitions", "N", "Partitions of each topic that is created", default: "4"),
            .value("replication", "N", "Copies of each partition; the broker's default when not given"),
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
