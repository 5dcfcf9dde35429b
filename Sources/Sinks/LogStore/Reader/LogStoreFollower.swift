import Base
import Consumer
import Kafka

/// The reader's loop, on its own thread: topic → batch → database.
///
/// ```
///            ┌──────────────── partitions or positions changed ◄───────────────┐
///            ▼                                                                 │
///  [find topic] ─► [plan: stored positions × watermarks] ─► [poll] ─► [store] ─┤
///     waits           recreated, other cluster: fails         ▲          │     │
///                                                             └──────────┘     │
///  asked to stop: reads to the end that the topic had then, stores, leaves ◄───┘
/// ```
/// No consumer group: the database's positions say where to go on. What the database does not take yet waits in one
/// batch and in the client's bounded prefetch.
final class LogStoreFollower: AssignmentHandler {
    let options: LogStoreReaderOptions
    let consumer: EventConsumer
    let probe: TopicProbe
    let writer: LogStoreWriter
    let counters: LogStoreCounters
    let stop: LogStoreStop
    var partitionCount: Int32 = 0
    /// Ends of partitions that the last poll has told of.
    var ends: [Int32: Int64] = [:]
    /// Partitions with nothing more to read when last polled.
    var atEnd: Set<Int32> = []
    /// The first row of the batch came at this time; the batch is due some time later.
    var batchBegan: UInt64 = 0
    var rejectionsSaid = 0
    var saidOtherTopics = false
    /// The way to the end, once somebody has asked to stop.
    var drainage: Drainage?

    init(
        consumer: EventConsumer, properties: KafkaProperties, writer: LogStoreWriter, options: LogStoreReaderOptions,
        counters: LogStoreCounters, stop: LogStoreStop
    ) {
        self.consumer = consumer
        self.writer = writer
        self.options = options
        self.counters = counters
        self.stop = stop
        probe = TopicProbe(consumer: consumer, properties: properties, topic: options.topic)
        consumer.handler = self
    }

    /// Runs until asked to stop. Returns when all is stored; or when the time is over, and then says what is left, which
    /// the next start reads.
    func run() throws(ImpactError) {
        // The database first: what is wrong with it should show at once.
        do throws(ReaderInterruption) {
            _ = try writer.persist { store throws(LogStoreError) in try store.sources() }
            while !stop.isPastDeadline {
                do throws(ReaderInterruption) {
                    return try follow()
                } catch {
                    guard case .replan(let reason) = error else { throw error }
                    Log.info("log-store", reason)
                }
            }
        } catch {
            if case .failed(let problem) = error { throw problem }
        }
        sayWhatIsLeft()
    }

    func follow() throws(ReaderInterruption) {
        counters.enter(.waitingForBroker)
        guard let source = try findTopic() else { return counters.setUnread(0) }
        try refuseOtherCluster(source)
        let batch = ScoreBatch(source: source, capacity: options.batchRows, byteLimit: options.batchBytes)
        let builder = ScoreBatchBuilder(batch, erasesOnTombstone: options.erasesOnTombstone, counters: counters)
        try begin(builder, source)
        try read(builder)
    }

    // MARK: Reading

    private func read(_ builder: ScoreBatchBuilder) throws(ReaderInterruption) {
        var refreshed = LogStoreStop.now()
        drainage = nil
        while true {
            try poll(builder)
            if builder.isFull || isDue(builder) { try flush(builder) }
            updateLag(builder)
            if stop.isStopping {
                if try drain(builder) { return }
            } else if Double(LogStoreStop.now() &- refreshed) / 1e9 >= options.refreshSeconds {
                refreshed = LogStoreStop.now()
                try lookForPartitions(builder)
            }
        }
    }

    private func isDue(_ builder: ScoreBatchBuilder) -> Bool {
        builder.hasWork && LogStoreStop.now() &- batchBegan >= UInt64(options.flushMilliseconds) * 1_000_000
    }

    private func poll(_ builder: ScoreBatchBuilder) throws(ReaderInterruption) {
        let isDraining = stop.isStopping
        let timeout = isDraining ? 10 : min(100, max(1, options.flushMilliseconds / 2))
        let messages: MessageBatch
        do throws(KafkaError) {
            messages = try consumer.poll(max: 2_000, timeoutMilliseconds: timeout)
        } catch {
            try giveUp(on: error)
            if !error.isRetriable {
                // An offset out of range, above all: database and broker decide where to go on.
                try flush(builder)
                throw .replan("\(error); looking at the topic again")
            }
            Log.warning("log-store", "\(error)")
            return
        }
        for i in 0..<messages.count { try add(messages[i], to: builder) }
        // Only now: an end may be told of before the records before it have been added.
        for (partition, offset) in ends {
            builder.reached(partition, offset)
            if builder.position(partition) == offset { atEnd.insert(partition) }
        }
        ends = [:]
    }

    private func add(_ message: borrowing Message, to builder: ScoreBatchBuilder) throws(ReaderInterruption) {
        let (partition, offset) = (message.partition, message.offset)
        atEnd.remove(partition)
        while true {
            if !builder.hasWork { batchBegan = LogStoreStop.now() }
            let outcome = builder.add(
                partition: partition, offset: offset, key: message.keyBuffer, payload: message.payloadBuffer)
            if outcome == .taken { return }
            try flush(builder)
        }
    }

    func assigned(_ partitions: [TopicPartition]) {}
    func revoked(_ partitions: [TopicPartition]) {}
    func lost(_ partitions: [TopicPartition]) {}
    func reachedEnd(of partition: TopicPartition, at offset: Int64) { ends[partition.partition] = offset }

    // MARK: Storing

    func flush(_ builder: ScoreBatchBuilder) throws(ReaderInterruption) {
        guard let batch = builder.finish() else { return }
        say(batch.rejections)
        let outcome = try writer.persist { store throws(LogStoreError) in try store.append(batch) }
        KillPoint.logStoreAfterCommit.reached()
        counters.count(outcome, rejected: batch.rejections.count)
        if outcome == .moved {
            throw .replan(
                """
                \(writer.store.place) holds other positions than this reader left (another reader, or a crash of the \
                database that took back its last transactions); going on from them
                """)
        }
        builder.stored(batch)
    }

    /// The first few by place, then their number: a topic of something else must not fill the log.
    private func say(_ rejections: [ScoreBatch.Rejection]) {
        if rejections.isEmpty { return }
        for rejection in rejections.prefix(max(0, 5 - rejectionsSaid)) {
            Log.warning(
                "log-store",
                """
                \(options.topic) [\(rejection.partition)] offset \(rejection.offset) is not a score: \(rejection.message) \
                (\(rejection.code)); recorded in impactiq_rejected
                """)
        }
        if rejectionsSaid + rejections.count > 5 {
            Log.warning("log-store", "\(rejections.count) messages of \(options.topic) in one batch are not scores")
        }
        rejectionsSaid += rejections.count
    }

    // MARK: Ends and partitions

    private func updateLag(_ builder: ScoreBatchBuilder) {
        var lag: Int64 = Int64(builder.batch.rows.count)
        for partition in 0..<partitionCount where !atEnd.contains(partition) {
            guard let marks = consumer.cachedWatermarks(TopicPartition(options.topic, partition)) else { continue }
            lag += max(0, marks.high - (builder.position(partition) ?? marks.low))
        }
        counters.setLag(lag)
    }

    private func lookForPartitions(_ builder: ScoreBatchBuilder) throws(ReaderInterruption) {
        let count: Int32?
        do throws(KafkaError) { count = try probe.partitionCount() } catch { return }
        if count == partitionCount { return }
        try flush(builder)
        throw .replan("topic \(options.topic) has \(count ?? 0) partitions now, \(partitionCount) before")
    }
}
