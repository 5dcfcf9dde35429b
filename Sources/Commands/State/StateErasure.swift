import Base
import Engine
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Terminal

/// `impactiq state delete`: an erasing event to each partition that knows the user.
struct StateErasure {
    private let user: String
    private let topic: String
    private let configuration: Configuration
    private let event: JSONOutput
    /// Where the event goes, and which of these partitions know the user.
    private let partitions: [Int32]
    private let known: Set<Int32>
    private let isOutputCompacted: Bool

    init(_ user: String, _ topic: String, _ configuration: Configuration, partition: Int32?) throws {
        self.user = user
        self.topic = topic
        self.configuration = configuration
        event = [
            "id": .text("delete-\(UUID().uuidString.lowercased())"), "user_id": .text(user),
            "type": .text(Processor.eraseType), "time": .integer(Int(Date().timeIntervalSince1970 * 1_000)),
        ]
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        defer { admin.close() }
        guard let description = try admin.describe(topic) else { throw Admin.missing(topic) }
        if let partition, partition < 0 || partition >= description.partitions {
            throw ImpactError(
                .usage, code: "no_such_partition",
                "--partition \(partition): \(topic) has partitions 0 to \(description.partitions - 1)")
        }
        known = Set(try UserLookup.places(of: user, configuration: configuration).map(\.partition))
        let own = KeyPartition.murmur2(Array(user.utf8), of: description.partitions)
        // The key's own partition too: events of the user that nobody has read yet may lie there.
        partitions = partition.map { [$0] } ?? known.union([own]).sorted()
        let settings = (try? admin.settings(of: configuration.outputTopic)) ?? [:]
        isOutputCompacted = settings["cleanup.policy"]?.contains("compact") ?? false
    }

    func carryOut() throws {
        let producer = try OutputProducer(
            properties: configuration.kafkaProperties(client: "producer"), options: ProducerOptions())
        defer { producer.close() }
        let output = try producer.topic(topic)
        do {
            for partition in partitions {
                try Array(user.utf8).withUnsafeBytes { key in
                    try Array(event.line.utf8).withUnsafeBytes { value in
                        try producer.produce(
                            output, partition: partition, key: key, value: value,
                            timestamp: Int64(Date().timeIntervalSince1970 * 1_000))
                    }
                }
            }
            try producer.flush()
        } catch let error as KafkaError {
            throw error.impactError(doing: "writing to \(topic)")
        }
    }

    /// What the erasure does not reach.
    private var remains: [String] {
        var remains: [String] = []
        if configuration.logStore != nil, !configuration.erasesLogStore, !isOutputCompacted {
            remains.append(
                "the user's rows stay in the log store: set log.store.erase=true (and compact the output topic or wait for "
                    + "its retention), or delete them there: DELETE FROM scores WHERE user_id = …")
        }
        if configuration.logStore == nil {
            remains.append(
                "a log store that other processes fill keeps its rows unless they run with log.store.erase=true")
        }
        remains.append(
            isOutputCompacted
                ? "\(configuration.outputTopic) loses the user's scores when it is compacted next"
                : "the user's scores stay in \(configuration.outputTopic) as long as it keeps them, which may be for ever (state delete "
                    + "--report says)")
        remains.append(
            "the user's events stay in \(configuration.inputTopics.joined(separator: ", ")) and rejected ones in "
                + "\(configuration.deadLetterTopic) until their retention takes them; a replay reads them again")
        return remains
    }

    private var finding: String {
        if known.isEmpty { return "no partition knows \(user): no event of theirs was read, or they were erased" }
        let list = known.sorted().map(String.init).joined(separator: ", ")
        return known.count == 1
            ? "partition \(list) knows \(user)"
            : "\(known.count) partitions know \(user) (\(list)): the producers do not place keys in one way"
    }

    func text(isDone: Bool) -> String {
        let places = partitions.map(String.init).joined(separator: ", ")
        var text = finding + "\n"
        if isDone {
            text +=
                "wrote user.delete for \(user) to \(topic) [\(places)]; a running pipeline erases the user in its turn\n"
        } else {
            text += "would write to \(topic) [\(places)], key \(user):\n\(event.line)\n"
        }
        for remain in remains { text += "note: \(remain)\n" }
        return text + (isDone ? "" : "nothing was done; --yes does it\n")
    }

    func json(isDone: Bool) -> JSONOutput {
        [
            "done": .bool(isDone), "user_id": .text(user), "topic": .text(topic),
            "partitions": .array(partitions.map { .integer(Int($0)) }),
            "known_in": .array(known.sorted().map { .integer(Int($0)) }), "remains": .array(remains.map { .text($0) }),
        ]
    }
}
