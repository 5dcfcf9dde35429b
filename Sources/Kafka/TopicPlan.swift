/// A topic as it should be: name, partitions, and the settings that the engine relies on.
package struct TopicPlan: Sendable, Equatable {
    package var name: String
    package var partitions: Int
    /// Copies of each partition; −1 takes the broker's default (KIP-464).
    package var replicationFactor: Int
    /// Topic settings by Kafka's names.
    package var settings: [String: String]

    package init(_ name: String, partitions: Int, replicationFactor: Int = -1, settings: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.settings = settings
    }

    /// The largest record of an input topic that ``events(_:partitions:)`` allows, in bytes: hostile messages of 10 MB fit.
    package static let inputRecordBytes = 16 << 20
    /// Room that a dead letter needs beyond the record it holds: headers and framing.
    package static let deadLetterOverheadBytes = 64 << 10

    /// An output's timestamp is its source record's. The broker refuses times more than an hour ahead of its own clock
    /// (KIP-937): a record that the input topic took must never be refused here, for the stream would stall on it.
    private static let anyTimestamp = ["message.timestamp.after.max.ms": "\(Int64.max)"]

    /// A topic of events.
    package static func events(_ name: String, partitions: Int) -> TopicPlan {
        TopicPlan(name, partitions: partitions, settings: ["max.message.bytes": "\(inputRecordBytes)"])
    }

    /// Scores and dead letters bear the time of their events: a retention by time would drop those of old events on
    /// arrival, so what is not told otherwise keeps them until they are deleted.
    private static let anyTimestampKept = anyTimestamp.merging(["retention.ms": "-1"]) { $1 }

    /// The output topic of scores.
    package static func scores(_ name: String, partitions: Int) -> TopicPlan {
        TopicPlan(name, partitions: partitions, settings: anyTimestampKept)
    }

    /// The dead-letter topic: takes every record that the input took, whole.
    package static func deadLetter(_ name: String, partitions: Int) -> TopicPlan {
        var settings = anyTimestampKept
        settings["max.message.bytes"] = "\(inputRecordBytes + deadLetterOverheadBytes)"
        return TopicPlan(name, partitions: partitions, settings: settings)
    }

    /// The changelog of the state: compacted, as many partitions as the input.
    package static func changelog(_ name: String, partitions: Int) -> TopicPlan {
        var settings = anyTimestamp
        settings["cleanup.policy"] = "compact"
        return TopicPlan(name, partitions: partitions, settings: settings)
    }
}

/// A topic as the broker describes it.
package struct TopicDescription: Sendable, Equatable {
    package var name: String
    package var partitions: Int
    package var replicationFactor: Int
    /// Whether every partition can be written and read at this moment.
    package var hasLeaders: Bool

    package init(name: String, partitions: Int, replicationFactor: Int, hasLeaders: Bool = true) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.hasLeaders = hasLeaders
    }
}
