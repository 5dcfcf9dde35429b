import Base
import Kafka
import Settings

/// What the pipeline must know about its topics before it starts: partitions, and the dead letter's room.
package struct TopicLayout: Sendable, Equatable {
    package var inputPartitions: Int
    package var outputPartitions: Int
    package var deadLetterPartitions: Int
    /// The dead-letter topic's `max.message.bytes`.
    package var deadLetterBytes: Int
    /// The changelog's `delete.retention.ms`: how long compaction leaves a tombstone there.
    package var tombstoneMilliseconds: Int64
    /// Whether the output topic is compacted: an erased user gets a tombstone there.
    package var isOutputCompacted: Bool

    package init(
        inputPartitions: Int, outputPartitions: Int, deadLetterPartitions: Int, deadLetterBytes: Int = 1_048_588,
        tombstoneMilliseconds: Int64 = 86_400_000, isOutputCompacted: Bool = false
    ) {
        self.inputPartitions = inputPartitions
        self.outputPartitions = outputPartitions
        self.deadLetterPartitions = deadLetterPartitions
        self.deadLetterBytes = deadLetterBytes
        self.tombstoneMilliseconds = tombstoneMilliseconds
        self.isOutputCompacted = isOutputCompacted
    }

    /// A score goes to the partition of its event when both topics have as many; else to its key's partition.
    func outputPartition(of input: Int32) -> Int32 { outputPartitions == inputPartitions ? input : -1 }

    /// Looks at the topics and checks that they fit each other.
    ///
    /// - Throws: `missing_topic` or `topic_misfit` with the command that mends it; `kafka_unreachable`.
    package static func check(_ configuration: Configuration, admin: Admin) throws(ImpactError) -> TopicLayout {
        let inputs = configuration.inputTopics
        guard let input = inputs.first else {
            throw ImpactError(.badConfiguration, code: "missing_input", "input.topics names no topic")
        }
        guard Set(inputs).count == inputs.count else {
            throw ImpactError(.badConfiguration, code: "repeated_input", "input.topics names a topic twice")
        }
        let partitions = try require(input, admin).partitions
        for other in inputs.dropFirst() {
            let count = try require(other, admin).partitions
            if count == partitions { continue }
            throw ImpactError(
                .badConfiguration, code: "topic_misfit",
                "\(other) has \(count) partitions, \(input) has \(partitions): several input topics must be "
                    + "co-partitioned, each user's events in the same partition number of all")
        }
        let output = try require(configuration.outputTopic, admin).partitions
        let deadLetter = try require(configuration.deadLetterTopic, admin).partitions
        let changelog = try require(configuration.changelogTopic, admin).partitions
        guard changelog == partitions else {
            throw ImpactError(
                .badConfiguration, code: "topic_misfit",
                "\(configuration.changelogTopic) has \(changelog) partitions, \(input) has \(partitions): state moves with "
                    + "its partition, so both need as many. Delete the changelog and run 'impactiq topics create'")
        }
        let settings = (try? admin.settings(of: configuration.changelogTopic)) ?? [:]
        if let policy = settings["cleanup.policy"], !policy.contains("compact") {
            throw ImpactError(
                .badConfiguration, code: "topic_misfit",
                "\(configuration.changelogTopic) has cleanup.policy=\(policy), which would forget users: set it to compact"
            )
        }
        let room = (try? admin.settings(of: configuration.deadLetterTopic))?["max.message.bytes"].flatMap { Int($0) }
        let outputPolicy = (try? admin.settings(of: configuration.outputTopic))?["cleanup.policy"] ?? "delete"
        return TopicLayout(
            inputPartitions: partitions, outputPartitions: output, deadLetterPartitions: deadLetter,
            deadLetterBytes: room ?? 1_048_588,
            tombstoneMilliseconds: settings["delete.retention.ms"].flatMap { Int64($0) } ?? 86_400_000,
            isOutputCompacted: outputPolicy.contains("compact"))
    }

    private static func require(_ topic: String, _ admin: Admin) throws(ImpactError) -> TopicDescription {
        if let description = try admin.describe(topic) { return description }
        throw ImpactError(
            .failed, code: "missing_topic",
            "topic \(topic) does not exist: 'impactiq topics create' makes all that the configuration needs")
    }
}
