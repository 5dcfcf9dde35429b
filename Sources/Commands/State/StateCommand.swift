import Base
import Engine
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Terminal

/// `impactiq state`: one user's state, the local copies against the changelog, erasure.
enum StateCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [
        StateGetCommand.self, StateVerifyCommand.self, StateDeleteCommand.self, StatePlacement.self,
        StateAlignment.self,
    ]
    static let specification = CommandSpecification(
        "state", "Look at a user's state, verify, erase a user, align state and offsets",
        sharedOptions: ConfigurationOptions.options, subcommands: subcommands.specifications)
}

/// `impactiq state get`.
enum StateGetCommand: Command {
    static let specification = CommandSpecification(
        "get", "Show one user's state and features as of now",
        discussion: """
            Reads the local copy in state.dir and what the changelog has beyond it; without a local copy of the user's \
            partition, that partition of the changelog. Looks in all partitions: producers may place keys in another way, and \
            a user who has state in several is shown once for each. The pipeline may run meanwhile.
            """,
        options: [
            .value("partition", "N", "Look in this partition only"),
            .flag("first", "Stop at the key's own partition by murmur2 when the user is there: quicker"),
            .flag("json", "Print a JSON object a line, one for each partition that knows the user"),
        ],
        arguments: [.init("USER", "The user_id")],
        examples: [.init("impactiq state get u-17 --config impactiq.properties", "features by name")])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let user = command.arguments[0]
        let partition = try command.count("partition").map { Int32(clamping: $0) }
        let found = try UserLookup.find(
            user, configuration: configuration, partition: partition, all: !command.flag("first"))
        guard !found.isEmpty else {
            throw ImpactError(
                .failed, code: "unknown_user",
                "user \(user) has no state\(partition.map { " in partition \($0)" } ?? " in any partition"): no event of "
                    + "theirs was seen, or they were erased")
        }
        if command.flag("json") {
            let partitions = found.map(\.partition)
            for place in found { Terminal.Stream.output.write(json(user, place, of: partitions).line + "\n") }
            return
        }
        for (i, place) in found.enumerated() {
            Terminal.Stream.output.write((i > 0 ? "\n" : "") + text(user, place))
        }
        if found.count > 1 {
            Terminal.Stream.output.write(
                "\nnote: the user's events are in \(found.count) partitions, which count apart: some producers place keys in "
                    + "another way than others, or the topic has got partitions ('impactiq state placement' counts such users)\n"
            )
        }
    }

    private static func json(_ user: String, _ found: UserLookup, of partitions: [Int32]) -> JSONOutput {
        let features = found.features.map { (name: $0.name, value: JSONOutput.number(Double($0.value))) }
        return [
            "user_id": .text(user), "partition": .integer(Int(found.partition)),
            "partitions": .array(partitions.map { .integer(Int($0)) }),
            "clock": .integer(Int(found.clock)), "events": .integer(found.events),
            "refuses": .array(found.refuses.map { .text($0) }),
            "record_bytes": .integer(found.recordBytes), "features": .object(features),
            "source": .text(found.source),
        ]
    }

    private static func text(_ user: String, _ found: UserLookup) -> String {
        let clock = Date(timeIntervalSince1970: Double(found.clock) / 1_000)
        var text = """
            user       \(user)
            partition  \(found.partition)
            clock      \(clock.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            events     \(found.events)
            record     \(found.recordBytes) bytes, from \(found.source)\(found.refuses.isEmpty ? "" : "\nrefuses    ")\(found.refuses.joined(separator: ", "))


            """
        var table = Table(.text("feature"), .number("value"))
        for feature in found.features { table.add(feature.name, feature.value.isNaN ? "missing" : "\(feature.value)") }
        text += table.text()
        return text
    }
}

/// `impactiq state delete`.
enum StateDeleteCommand: Command {
    static let specification = CommandSpecification(
        "delete", "Erase a user: from the state, the changelog and the local copies",
        discussion: """
            Writes an event of type user.delete to the input topic, so that the erasure is ordered with the user's events \
            and happens exactly once; a running pipeline carries it out. It writes a tombstone to the changelog, and one \
            to the output topic when that is compacted or log.store.erase is true, which deletes the user's rows in the \
            log store too; says what it does not reach. The event goes to every partition that knows the user, wherever the \
            producers have placed the events; to the key's own by murmur2 when none does. Says what it would do; --yes does it.
            """,
        options: [
            .flag("yes", "Write the event"),
            .flag("report", "Only list where the user is, and until when; reads the changelog and the dead letters"),
            .value("rows", "FILE", "With --report: training rows to look through", repeated: true),
            .value("partition", "N", "Write it to this partition only, known there or not"),
            .flag("json", "Print one JSON object"),
        ],
        arguments: [.init("USER", "The user_id")],
        examples: [
            .init("impactiq state delete u-17 --yes --config impactiq.properties", "one event, one user"),
            .init("impactiq state delete u-17 --report --rows rows.csv", "where u-17 still is"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let user = command.arguments[0]
        guard let topic = configuration.inputTopics.first, !user.isEmpty else {
            throw ImpactError(.usage, code: "no_user", "name a user")
        }
        if command.flag("report") {
            if command.flag("yes") { throw command.invalid("report", "changes nothing: leave out --yes") }
            let report = try StateReport(user, configuration, rows: command.texts("rows"))
            let out = Terminal.Stream.output
            if command.flag("json") { out.write(report.json.line + "\n") } else { out.write(report.text) }
            return
        }
        let erasure = try StateErasure(
            user, topic, configuration, partition: try command.count("partition").map { Int32(clamping: $0) })
        let isConfirmed = command.flag("yes")
        if isConfirmed { try erasure.carryOut() }
        if command.flag("json") {
            Terminal.Stream.output.write(erasure.json(isDone: isConfirmed).line + "\n")
        } else {
            Terminal.Stream.output.write(erasure.text(isDone: isConfirmed))
        }
    }
}
