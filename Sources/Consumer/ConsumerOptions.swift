import Kafka

/// What a consumer needs beyond the user's own `kafka.consumer.*` properties, which win over everything here except
/// what the engine's guarantees rest on.
package struct ConsumerOptions: Sendable, Equatable {
    /// Where a partition starts that has no committed offset, or whose offset is gone from the log.
    package enum Reset: String, Sendable { case earliest, latest, error }
    package enum Isolation: String, Sendable {
        case readCommitted = "read_committed"
        case readUncommitted = "read_uncommitted"
    }

    /// The consumer group; nil for a consumer that is only assigned by hand and commits nothing.
    package var group: String?
    /// Static membership (KIP-345): a restart within the session keeps the partitions, without a rebalance.
    package var groupInstance: String?
    package var isolation = Isolation.readCommitted
    package var reset = Reset.earliest
    /// Says when a partition's end is reached, through ``AssignmentHandler/reachedEnd(of:at:)``.
    package var reportsPartitionEnd = false
    /// Bound of the records fetched ahead, in bytes, for this consumer.
    package var prefetchBytes = 128 << 20
    /// How long the broker may hold a fetch that finds nothing new. On librdkafka's mock cluster this is the latency.
    package var fetchWaitMilliseconds = 100
    package var sessionTimeoutMilliseconds = 45_000
    /// How long the worker may be busy between two polls before the group takes its partitions away.
    package var maxPollIntervalMilliseconds = 300_000
    /// Names the client in the log and at the broker.
    package var clientID = "impactiq"

    package init(group: String? = nil) { self.group = group }

    /// librdkafka's properties: the user's with these options below or above them.
    package func properties(_ user: KafkaProperties) -> KafkaProperties {
        var p = user
        p.setDefault("client.id", clientID)
        p.setDefault("fetch.wait.max.ms", "\(fetchWaitMilliseconds)")
        p.setDefault("fetch.error.backoff.ms", "100")
        p.setDefault("reconnect.backoff.max.ms", "2000")
        p.setDefault("socket.nagle.disable", "true")
        p.setDefault("session.timeout.ms", "\(sessionTimeoutMilliseconds)")
        p.setDefault("max.poll.interval.ms", "\(max(maxPollIntervalMilliseconds, sessionTimeoutMilliseconds))")
        // A full queue makes 2.0.2 rest a hard-coded second: the count must never be what fills it, the bytes are the
        // bound. One fetch may be in flight beyond it, so it gets a quarter at most.
        p.setDefault("queued.min.messages", "10000000")
        p.setDefault("queued.max.messages.kbytes", "\(max(1 << 10, prefetchBytes >> 10))")
        let fetchBytes = max(1 << 20, min(32 << 20, prefetchBytes / 4))
        p.setDefault("fetch.max.bytes", "\(fetchBytes)")
        p.setDefault("max.partition.fetch.bytes", "\(min(8 << 20, fetchBytes))")
        // A record larger than every bound above is still delivered, alone (KIP-74); the reply must have room for it.
        p.setDefault("receive.message.max.bytes", "100000000")
        p.setDefault("auto.offset.reset", reset.rawValue)
        if let groupInstance { p.setDefault("group.instance.id", groupInstance) }

        // What the guarantees rest on. librdkafka wants a group for manual assignment too; it is never joined.
        p["group.id"] = group ?? "impactiq-unused"
        p["enable.auto.commit"] = "false"
        p["enable.auto.offset.store"] = "false"
        // `cooperative-sticky` can loop for ever before 2.6.1; mixed assignors abort the process.
        p["partition.assignment.strategy"] = "range"
        p["isolation.level"] = isolation.rawValue
        p["enable.partition.eof"] = reportsPartitionEnd ? "true" : "false"
        p["allow.auto.create.topics"] = "false"
        return p
    }
}
