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
        StateGetCommand.self, StateVerifyCommand.self, StateDeleteCommand.self,
    ]
    static let specification = CommandSpecification(
        "state", "Look at a user's state, verify the local copies, erase a user",
        sharedOptions: ConfigurationOptions.options, subcommands: subcommands.specifications)
}

/// `impactiq state get`.
enum StateGetCommand: Command {
    static let specification = CommandSpecification(
        "get", "Show one user's state and features as of now",
        discussion: """
            Reads the local copy in state.dir and what the changelog has beyond it; without a local copy of the user's \
            partition, that partition of the changelog. The pipeline may run meanwhile.
            """,
        options: [
            .value("partition", "N", "Look in this partition, when events are not placed by their key"),
            .flag("json", "Print one JSON object"),
        ],
        arguments: [.init("USER", "The user_id")],
        examples: [.init("impactiq state get u-17 --config impactiq.properties", "features by name")])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let user = command.arguments[0]
        let partition = try command.count("partition").map { [Int32(clamping: $0)] }
        guard let found = try UserLookup.find(user, configuration: configuration, partitions: partition) else {
            throw ImpactError(
                .failed, code: "unknown_user",
                "user \(user) has no state: no event of theirs was seen, or they were erased"
                    + (configuration.acceptsAnyKey ? " (input.key=any: --partition N looks elsewhere)" : ""))
        }
        if command.flag("json") {
            let features = found.features.map { (name: $0.name, value: JSONOutput.number(Double($0.value))) }
            let object: JSONOutput = [
                "user_id": .text(user), "partition": .integer(Int(found.partition)),
                "clock": .integer(Int(found.clock)), "events": .integer(found.events),
                "record_bytes": .integer(found.recordBytes), "features": .object(features),
                "source": .text(found.source),
            ]
            Terminal.Stream.output.write(object.line + "\n")
            return
        }
        let clock = Date(timeIntervalSince1970: Double(found.clock) / 1_000)
        var text = """
            user       \(user)
            partition  \(found.partition)
            clock      \(clock.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            events     \(found.events)
            record     \(found.recordBytes) bytes, from \(found.source)


            """
        var table = Table(.text("feature"), .number("value"))
        for feature in found.features { table.add(feature.name, feature.value.isNaN ? "missing" : "\(feature.value)") }
        text += table.text()
        Terminal.Stream.output.show(text)
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
            log store too. Says what it would do; --yes does it.
            """,
        options: [
            .flag("yes", "Write the event"),
            .value("partition", "N", "Write it to this partition, when events are not placed by their key"),
        ],
        arguments: [.init("USER", "The user_id")],
        examples: [.init("impactiq state delete u-17 --yes --config impactiq.properties", "one event, one user")])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let user = command.arguments[0]
        guard let topic = configuration.inputTopics.first, !user.isEmpty else {
            throw ImpactError(.usage, code: "no_user", "name a user")
        }
        let event: JSONOutput = [
            "id": .text("delete-\(UUID().uuidString.lowercased())"), "user_id": .text(user),
            "type": .text(Processor.eraseType), "time": .integer(Int(Date().timeIntervalSince1970 * 1_000)),
        ]
        guard command.flag("yes") else {
            Terminal.Stream.output.show(
                "would write to \(topic), key \(user):\n\(event.line)\nnothing was done; --yes does it\n")
            return
        }
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        defer { admin.close() }
        guard let description = try admin.describe(topic) else { throw Admin.missing(topic) }
        let key = Array(user.utf8)
        let partition =
            try command.count("partition").map { Int32(clamping: $0) }
            ?? KeyPartition.murmur2(key, of: description.partitions)
        guard partition >= 0, partition < description.partitions else {
            throw command.invalid("partition", "\(topic) has partitions 0 to \(description.partitions - 1)")
        }
        let producer = try OutputProducer(
            properties: configuration.kafkaProperties(client: "producer"), options: ProducerOptions())
        defer { producer.close() }
        let output = try producer.topic(topic)
        do {
            try key.withUnsafeBytes { key in
                try Array(event.line.utf8).withUnsafeBytes { value in
                    try producer.produce(
                        output, partition: partition, key: key, value: value,
                        timestamp: Int64(Date().timeIntervalSince1970 * 1_000))
                }
            }
            try producer.flush()
        } catch let error as KafkaError {
            throw error.impactError(doing: "writing to \(topic)")
        }
        Terminal.Stream.output.show(
            "wrote user.delete for \(user) to \(topic) [\(partition)]; a running pipeline erases the user in its turn\n"
        )
    }
}
