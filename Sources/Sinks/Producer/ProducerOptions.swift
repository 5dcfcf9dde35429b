import Kafka

/// What a producer needs beyond the user's own `kafka.producer.*` properties, which win over everything here except what
/// the engine's guarantees rest on.
package struct ProducerOptions: Sendable, Equatable {
    /// Exactly once: every record is part of a transaction under this identity. Nil: idempotent only.
    package var transactionalID: String?
    /// How long a record may wait for company in its batch. A commit does not wait.
    package var lingerMilliseconds = 5
    /// How batches are compressed on the way and at the broker: librdkafka's `compression.type`; nil for not at all.
    package var compression: String?
    /// Bound of the records not yet acknowledged, in bytes.
    package var bufferBytes = 256 << 20
    /// After this the broker aborts a transaction that did not end. An unclean restart waits as long at worst.
    package var transactionTimeoutMilliseconds = 60_000
    package var clientID = "impactiq"

    package init(transactionalID: String? = nil) { self.transactionalID = transactionalID }

    /// The largest record that is handed to the broker: a dead letter of the largest input record, with its framing.
    package static let largestRecordBytes = TopicPlan.inputRecordBytes + 2 * TopicPlan.deadLetterOverheadBytes

    package func properties(_ user: KafkaProperties) -> KafkaProperties {
        var p = user
        p.setDefault("client.id", clientID)
        if let compression, user["compression.codec"] == nil { p.setDefault("compression.type", compression) }
        p.setDefault("linger.ms", "\(lingerMilliseconds)")
        p.setDefault("queue.buffering.max.kbytes", "\(max(32 << 10, bufferBytes >> 10))")
        p.setDefault("queue.buffering.max.messages", "5000000")
        p.setDefault("batch.num.messages", "20000")
        p.setDefault("batch.size", "1000000")
        p.setDefault("message.max.bytes", "\(Self.largestRecordBytes)")
        p.setDefault("reconnect.backoff.max.ms", "2000")
        // Transactions are many small requests in turn: with Nagle's algorithm each would wait.
        p.setDefault("socket.nagle.disable", "true")
        // As the Java clients place a key, so that a user's events are in one partition whoever writes them.
        p.setDefault("partitioner", "murmur2_random")
        p["enable.idempotence"] = "true"
        p["delivery.report.only.error"] = "true"
        if let transactionalID {
            p["transactional.id"] = transactionalID
            p.setDefault("transaction.timeout.ms", "\(transactionTimeoutMilliseconds)")
            // Below the transaction's own, so that a record fails while its transaction can still be aborted.
            p.setDefault("message.timeout.ms", "\(transactionTimeoutMilliseconds * 3 / 4)")
        } else {
            p["transactional.id"] = nil
            // For ever: a broker that is away stops the input by back-pressure and loses nothing.
            p.setDefault("message.timeout.ms", "0")
        }
        return p
    }
}
