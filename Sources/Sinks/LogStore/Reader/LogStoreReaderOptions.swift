/// How a ``LogStoreReader`` reads.
package struct LogStoreReaderOptions: Sendable {
    /// The output topic.
    package var topic: String
    /// Most rows of one database transaction.
    package var batchRows = 10_000
    /// Most bytes of texts that wait for the database, about; what was fetched ahead is bounded by `prefetchBytes`.
    package var batchBytes = 16 << 20
    /// A row waits no longer than this for others to share its transaction.
    package var flushMilliseconds = 500
    package var prefetchBytes = 32 << 20
    /// A tombstone (a record with a user as key and no value) deletes the user's rows. Otherwise it is passed over.
    package var erasesOnTombstone = false
    /// How often the topic is looked at for new partitions.
    package var refreshSeconds = 30.0
    /// First and longest wait after a failure of the database or the broker; each wait doubles the one before.
    package var retrySeconds = 0.2...5.0
    /// Asked to stop, with all committed records read: how long it waits for open transactions that came before.
    package var openTransactionSeconds = 3.0

    package init(topic: String) { self.topic = topic }
}
