import Base
import Kafka
import Pipeline
import Settings
import Terminal

/// `impactiq topics grow`.
enum TopicsGrowth: Command {
    static let specification = CommandSpecification(
        "grow", "Give the topics more partitions, and move each user's state to where their events go then",
        discussion: """
            A key's partition follows from the number of partitions, and state stays in its partition: adding partitions \
            alone would split users from their state. This adds them to the input topics, the output topic and the \
            changelog, and moves the state, in transactions: interrupted, it is run again, and until it is through the \
            pipeline refuses to start. Stop the producers, let the application read what is there, stop it, run this, \
            start it, then the producers. It refuses while members live or events are unread. When somebody has added \
            partitions to the input already, it moves the state to them. Shows what it would do and asks first; without a \
            terminal it only shows, unless --yes is given.
            """,
        options: [
            .value("partitions", "N", "Partitions that the topics shall have; default: what the largest input has"),
            .value("partitioner", "NAME", "How the producers place keys: murmur2, crc32 or fnv1a", default: "murmur2"),
            .flag("despite-unread", "Also when events are unread: their users may be split from their state"),
            .flag("yes", "Do it without asking"),
            .flag("json", "Print what would be or was done as one JSON object"),
        ],
        examples: [.init("impactiq topics grow --partitions 12 --config impactiq.properties", "from 4 to 12, say")])

    static func run(_ command: ParsedCommand) throws { try TopicsCommand.run(command, grow) }

    private static func grow(_ command: ParsedCommand, _ configuration: Configuration, _ admin: Admin) throws {
        try ResetPlan.refuseLive(configuration, admin)
        guard let partitioner = KeyPartition(rawValue: command.text("partitioner") ?? "") else {
            throw command.invalid("partitioner", "must be murmur2, crc32 or fnv1a")
        }
        var counts: [Int] = []
        for topic in configuration.inputTopics { counts.append(try admin.describe(topic)?.partitions ?? 0) }
        let partitions = try command.count("partitions") ?? counts.max() ?? 0
        guard (1...10_000).contains(partitions) else { throw command.invalid("partitions", "must be 1 to 10000") }
        let isJSON = command.flag("json")
        let reading = ProgressLine("reading the state", unit: "records")
        let growth = try StateGrowth(
            configuration, to: partitions, partitioner: partitioner, admin: admin,
            isStopped: { StopSignal.isRaised }, progress: { reading.update($0) })
        let plan = growth.plan
        reading.finish(plan.users)
        if !isJSON { show(plan, configuration) }
        try refuse(command, plan, partitioner)
        let question = "Grow to \(partitions) partitions?"
        let isConfirmed = try Confirmation.ask(question, isGiven: command.flag("yes"), isQuiet: isJSON)
        if isConfirmed {
            try ResetPlan.refuseLive(configuration, admin)
            let moving = ProgressLine("moving users", total: plan.moving, unit: "users")
            try growth.carryOut(isStopped: { StopSignal.isRaised }) { moving.update($0) }
            moving.finish(plan.moving)
            if !isJSON {
                Terminal.Stream.output.write(
                    "done: \(plan.moving) of \(plan.users) users moved; \(partitions) partitions\n")
            }
        }
        if isJSON { Terminal.Stream.output.write(json(plan, isDone: isConfirmed).line + "\n") }
    }

    private static func refuse(
        _ command: ParsedCommand, _ plan: StateGrowth.Plan, _ partitioner: KeyPartition
    ) throws(ImpactError) {
        if plan.astray > 0 {
            throw ImpactError(
                .failed, code: "users_astray",
                "\(plan.astray) of \(plan.users) users are not where \(partitioner.rawValue) places their keys: the producers "
                    + "use another partitioner. Say which with --partitioner ('impactiq state placement' counts them by "
                    + "partitioner)")
        }
        guard !plan.unread.isEmpty, !command.flag("despite-unread") else { return }
        let places = plan.unread.prefix(5).map { "\($0)" }.joined(separator: ", ")
        throw ImpactError(
            .failed, code: "unread_events",
            "\(plan.unread.count) partitions have unread events (\(places)): stop the producers, and let the application read "
                + "them first. If the input has its new partitions already, so that it does not start, --despite-unread "
                + "goes on: unread events count in the partition where they stand, apart from their users' moved state")
    }

    private static func show(_ plan: StateGrowth.Plan, _ configuration: Configuration) {
        var table = Table(.text("what"), .text("now"), .text("then"))
        for topic in configuration.inputTopics {
            table.add("topic \(topic)", "\(plan.inputs) partitions", "\(plan.partitions)")
        }
        let isPaired = plan.output == plan.inputs || plan.output == plan.changelog
        table.add(
            "topic \(configuration.outputTopic)", "\(plan.output) partitions",
            "\(isPaired ? max(plan.output, plan.partitions) : plan.output)")
        table.add("topic \(configuration.changelogTopic)", "\(plan.changelog) partitions", "\(plan.partitions)")
        table.add("users", HumanNumber.grouped(plan.users), "\(HumanNumber.grouped(plan.moving)) of them move")
        Terminal.Stream.output.write(table.text())
    }

    private static func json(_ plan: StateGrowth.Plan, isDone: Bool) -> JSONOutput {
        [
            "done": .bool(isDone), "partitions": .integer(plan.partitions), "users": .integer(plan.users),
            "moving": .integer(plan.moving), "unread": .array(plan.unread.map { .text("\($0)") }),
        ]
    }
}
