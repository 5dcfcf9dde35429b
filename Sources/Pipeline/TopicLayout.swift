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
    /// The output topic's `retention.ms`; −1 is for ever, nil when the broker does not say.
    package var outputRetentionMilliseconds: Int64?

    package init(
        inputPartitions: Int, outputPartitions: Int, deadLetterPartitions: Int, deadLetterBytes: Int = 1_048_588,
        tombstoneMilliseconds: Int64 = 86_400_000, isOutputCompacted: Bool = false,
        outputRetentionMilliseconds: Int64? = nil
    ) {
        self.inputPartitions = inputPartitions
        self.outputPartitions = outputPartitions
        self.deadLetterPartitions = deadLetterPartitions
        self.deadLetterBytes = deadLetterBytes
        self.tombstoneMilliseconds = tombstoneMilliseconds
        self.isOutputCompacted = isOutputCompacted
        self.outputRetentionMilliseconds = outputRetentionMilliseconds
    }

    /// A score goes to the partition of its event when both topics have as many; else to its key's partition.
    func outputPartition(of input: Int32) -> Int32 { outputPartitions == inputPartitions ? input : -1 }

    /// What works, but not as people may expect.
    package func remarks(_ configuration: Configuration) -> [String] {
        var remarks: [String] = []
        if outputPartitions != inputPartitions {
            remarks.append(Self.apart(configuration, output: outputPartitions, input: inputPartitions))
        }
        if let retention = outputRetentionMilliseconds, retention >= 0, !isOutputCompacted {
            let days = Double(retention) / 86_400_000
            remarks.append(
                "\(configuration.outputTopic) keeps scores for \(days >= 2 ? "\(Int(days)) days" : "\(retention / 60_000) min") "
                    + "(retention.ms), counted from the time of their events: scores of older events go within minutes, "
                    + "unread by a log store that comes later. retention.ms=-1 keeps them")
        }
        return remarks
    }

    private static func apart(_ configuration: Configuration, output: Int, input: Int) -> String {
        "\(configuration.outputTopic) has \(output) partitions, the input \(input): scores are placed by their key, not "
            + "beside their event, and 'replay --against', 'rows --scores' and 'evaluate --topic' cannot join them. Make an output "
            + "topic with \(input) partitions"
    }

    /// Looks at the topics and checks that they fit each other.
    ///
    /// - Throws: `topic_collision`, `missing_topic` or `topic_misfit`, naming all that is wrong at once, with the commands
    ///   that mend it; `kafka_unreachable`.
    package static func check(_ configuration: Configuration, admin: Admin) throws(ImpactError) -> TopicLayout {
        try TopicRoles.check(configuration)
        let topics = try admin.topics()
        func count(_ topic: String) -> Int? { topics.first { $0.name == topic }?.partitions }
        let missing = TopicRoles.all(configuration).map(\.topic).filter { count($0) == nil }
        let misfits = try misfits(configuration, admin, count)
        if !missing.isEmpty {
            var besides = misfits
            if let input = configuration.inputTopics.compactMap(count).first,
                let output = count(configuration.outputTopic),
                output != input
            {
                besides.append(apart(configuration, output: output, input: input))
            }
            let isOne = missing.count == 1
            throw ImpactError(
                .failed, code: "missing_topic",
                "\(isOne ? "topic" : "topics") \(missing.joined(separator: ", ")) \(isOne ? "does" : "do") not exist: "
                    + "'impactiq topics create' makes all that the configuration needs"
                    + besides.map { ". Besides: \($0)" }.joined())
        }
        guard misfits.isEmpty, let input = configuration.inputTopics.first, let partitions = count(input),
            let output = count(configuration.outputTopic), let deadLetter = count(configuration.deadLetterTopic)
        else {
            throw ImpactError(.badConfiguration, code: "topic_misfit", misfits.joined(separator: ". Besides: "))
        }
        let settings = (try? admin.settings(of: configuration.changelogTopic)) ?? [:]
        let room = (try? admin.settings(of: configuration.deadLetterTopic))?["max.message.bytes"].flatMap { Int($0) }
        let outputSettings = (try? admin.settings(of: configuration.outputTopic)) ?? [:]
        return TopicLayout(
            inputPartitions: partitions, outputPartitions: output, deadLetterPartitions: deadLetter,
            deadLetterBytes: room ?? 1_048_588,
            tombstoneMilliseconds: settings["delete.retention.ms"].flatMap { Int64($0) } ?? 86_400_000,
            isOutputCompacted: outputSettings["cleanup.policy"]?.contains("compact") ?? false,
            outputRetentionMilliseconds: outputSettings["retention.ms"].flatMap { Int64($0) })
    }

    /// What does not fit among the topics that are there.
    private static func misfits(
        _ configuration: Configuration, _ admin: Admin, _ count: (String) -> Int?
    ) throws(ImpactError) -> [String] {
        var misfits: [String] = []
        let inputs = configuration.inputTopics.compactMap { topic in count(topic).map { (topic, $0) } }
        guard let (input, partitions) = inputs.first else { return [] }
        for (other, others) in inputs.dropFirst() where others != partitions {
            misfits.append(
                "\(other) has \(others) partitions, \(input) has \(partitions): several input topics must be "
                    + "co-partitioned, each user's events in the same partition number of all")
        }
        guard let changelog = count(configuration.changelogTopic) else { return misfits }
        if changelog != partitions {
            misfits.append(
                PartitionCounts.advice(
                    "\(configuration.changelogTopic) has \(changelog) partitions, \(input) has \(partitions)",
                    isGrown: partitions > changelog))
        }
        let settings = (try? admin.settings(of: configuration.changelogTopic)) ?? [:]
        if let policy = settings["cleanup.policy"], !policy.contains("compact") {
            misfits.append(
                "\(configuration.changelogTopic) has cleanup.policy=\(policy), which would forget users: set it to compact"
            )
        }
        return misfits
    }
}

/// What to do when the input has another count of partitions than the state.
package enum PartitionCounts {
    /// - Parameter isGrown: whether the input has more of them now, which can be mended without loss.
    package static func advice(_ finding: String, isGrown: Bool) -> String {
        finding
            + ": a key's partition follows from the count, and state stays in its partition, so users would be split "
            + "from their state. "
            + (isGrown
                ? "'impactiq topics grow' moves the state to where the keys go now; " : "")
            + "'impactiq reset' begins anew with empty state (all features are forgotten, and what is read again is "
            + "scored again)"
    }

    static func changed(_ topic: String, from old: Int, to new: Int) -> ImpactError {
        ImpactError(
            .failed, code: "partitions_changed",
            advice(
                "\(topic) has \(new) partitions now; it had \(old) when this process began", isGrown: new > old))
    }
}
