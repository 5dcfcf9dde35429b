import Base
import Consumer
import Engine
import Events
import Features
import Foundation
import JSON
import Kafka
import Scoring
import Settings
import Sinks
import Synchronization

/// One thread's share of the pipeline: a consumer, a producer, and the state of the partitions assigned to it.
///
/// ```
///            ┌────────────── assigned ──────────────┐
///            ▼                                      │
///  poll ─► process ─► produce ─┬─ every commit.interval.ms ─► changelog, offsets, commit
///   ▲                          │                                │ committed: state.commit()
///   └──────────────────────────┴────────────────────────────────┤ aborted: state.rollback(), seek back
///                                                               │ fenced: leave, join anew (Application)
///                                        stop: commit, leave ◄──┘
/// ```
/// Belongs to the thread that makes it.
final class Worker: AssignmentHandler {
    /// Why ``run()`` ended: asked to; ousted by another of its name; to begin again from what is committed.
    enum Ending { case stopped, fenced, renewed }

    let context: WorkerContext
    let component: String
    let consumer: EventConsumer
    /// Brings the records of several input topics into one order; nil for one topic.
    let merger: TopicMerger?
    let producer: OutputProducer
    let processor: Processor
    let deadLetters: DeadLetterWriter
    let restorer: StateRestorer
    /// Keeps memory within its bound; nil without one.
    let spill: WorkerSpill?
    /// Where this worker says what it is handling; nil without poison protection.
    let poison: PoisonSlot?
    /// Which headers go from an event to its score.
    let forwarded: ForwardedHeaders
    let scores: OutputTopic
    let changelog: OutputTopic
    var shards: [Int32: Shard] = [:]
    /// Shards of partitions that went and may come back, and those whose last pass into the local store is under way.
    var parked: [Int32: Shard] = [:]
    var retiring: [Shard] = []
    /// Commits that proved the ownership of the partitions.
    var provenCommits = 0
    /// Whether anything was handed to the producer since the last commit.
    var isOpen = false
    /// Whether it must leave and join anew, and whether that is because producer or consumer were fenced.
    var isFenced = false
    var isNameTaken = false
    private var commitDue = ContinuousClock.now
    private var lagDue = ContinuousClock.now
    private var failure: (any Error)?
    /// Records that came after the merge's wait, and that the metrics know of already.
    private var reportedOutOfOrder = 0

    init(number: Int, context: WorkerContext) throws(ImpactError) {
        self.context = context
        component = "worker-\(number)"
        let configuration = context.configuration
        var options = ConsumerOptions(group: configuration.applicationID)
        options.clientID = StandbyRule.clientID(
            application: configuration.applicationID, process: context.identity.name, worker: number)
        options.groupInstance = context.instanceName.map { "\($0)-\(number)" }
        options.fetchWaitMilliseconds = 10
        options.reportsPartitionEnd = configuration.inputTopics.count > 1
        consumer = try EventConsumer(
            properties: context.properties(client: "consumer"), topics: configuration.inputTopics, options: options,
            component: component)
        merger =
            options.reportsPartitionEnd
            ? TopicMerger(consumer, wait: configuration.inputMergeWaitMilliseconds) : nil
        let isTransactional = configuration.guarantee == .exactlyOnce
        var output = ProducerOptions(
            transactionalID: isTransactional
                ? "\(configuration.applicationID)-\(context.identity.name)-\(number)" : nil)
        output.clientID = options.clientID
        output.lingerMilliseconds = isTransactional ? 5 : 1
        producer = try OutputProducer(
            properties: context.properties(client: "producer"), options: output, component: component)
        forwarded = ForwardedHeaders(configuration.forwardedHeaders)
        scores = try producer.topic(configuration.outputTopic)
        changelog = try producer.topic(configuration.changelogTopic)
        deadLetters = DeadLetterWriter(
            producer: producer, topic: try producer.topic(configuration.deadLetterTopic),
            partitions: context.layout.deadLetterPartitions, maxRecordBytes: context.layout.deadLetterBytes,
            application: configuration.applicationID, component: component)
        processor = try Processor(model: context.model, settings: try context.processorSettings())
        restorer = try StateRestorer(
            properties: context.properties(client: "consumer"), topic: configuration.changelogTopic,
            metrics: context.metrics, component: component)
        spill = try configuration.workerMemoryBytes().flatMap { bound in
            context.local.map { WorkerSpill(bound: bound, store: $0.store) }
        }
        poison = context.poison?.slot(worker: number)
        consumer.handler = self
        restorer.isStopped = { context.isStopRequested }
        restorer.isMemoryFull = { [unowned self] in
            spill.map { WorkerSpill.used(shards.values) > $0.bound / 2 } ?? false
        }
    }

    /// Works until the context asks to stop, or until another producer or group member has taken this one's place.
    func run() throws -> Ending {
        defer { close() }
        if producer.start() == .interrupted { return .stopped }
        KillPoint.afterStart.reached()
        try consumer.subscribe()
        while !context.isStopRequested {
            try step()
            if let failure { throw failure }
            if isFenced { return isNameTaken ? .fenced : .renewed }
        }
        commit()
        return .stopped
    }

    private func step() throws {
        let isRestoring = !restorer.isIdle
        try pollOnce(timeoutMilliseconds: isRestoring ? 0 : waitMilliseconds())
        for shard in try restorer.step(timeoutMilliseconds: isRestoring ? 20 : 0) {
            try relieveMemory()
            KillPoint.beforeResume.reached()
            try consumer.resume(shard.positions.partitions)
            KillPoint.afterResume.reached()
        }
        let now = ContinuousClock.now
        if isOpen, now >= commitDue || isMemoryFull { commit() }
        if !isOpen {
            advanceCheckpoints(isProven: false)
            try relieveMemory()
        }
        if now >= lagDue {
            lagDue = now + .seconds(1)
            reportLag()
        }
    }

    /// Never longer than until the next commit.
    private func waitMilliseconds() -> Int {
        guard isOpen else { return 100 }
        return min(100, max(0, Int((commitDue - .now) / .milliseconds(1))))
    }

    private func pollOnce(timeoutMilliseconds: Int) throws {
        do {
            let batch = try poll(timeoutMilliseconds)
            if batch.isEmpty { return }
            open()
            guard !isFenced else { return }
            try process(batch)
        } catch let error as KafkaError {
            if consumer.isFenced { return leave(fencedBy: error) }
            if error.isAuthorization { throw error.impactError(doing: "reading the input") }
            guard error.isRetriable, !error.isFatal else { throw error.impactError(doing: "reading the input") }
            Log.warning(component, "\(error)")
            Thread.sleep(forTimeInterval: 0.2)
        }
    }

    private func poll(_ timeoutMilliseconds: Int) throws(KafkaError) -> MessageBatch {
        let max = context.configuration.batchMaxEvents
        if let merger { return try merger.poll(max: max, timeoutMilliseconds: timeoutMilliseconds) }
        return try consumer.poll(max: max, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Begins a transaction with the first message after a commit.
    func open() {
        guard !isOpen else { return }
        switch producer.begin() {
        case .ready:
            isOpen = true
            KillPoint.afterBegin.reached()
        case let outcome: settle(outcome, attempted: [:])
        }
        commitDue = .now + .milliseconds(context.configuration.commitIntervalMilliseconds)
    }

    /// Parses, scores and hands over one batch; a failure of the producer undoes the whole transaction.
    private func process(_ batch: borrowing MessageBatch) throws {
        // What happens outside of it is no message's fault.
        defer { poison?.clear() }
        do {
            try handOver(batch)
        } catch let error as KafkaError {
            settle(producer.recover(from: error), attempted: [:])
        }
    }

    private func handOver(_ batch: borrowing MessageBatch) throws {
        var current: Shard?
        var topic: Int32 = -1
        var partition: Int32 = -1
        var newest: Int64 = -1
        var flushed = 0
        let isAlert = isAlert
        for i in 0..<batch.count {
            let message = batch[i]
            let isOther = message.partition != partition || current == nil
            if isOther {
                partition = message.partition
                current = shards[partition]
                if let current { processor.begin(current.content) }
            }
            guard let shard = current else { continue }
            if isOther || message.topic != topic {
                topic = message.topic
                // At most: the end of the run is not known yet.
                let last = message.offset + Int64(batch.count - i)
                poison?.note(max(0, topic), partition, from: message.offset, through: last)
            }
            var isAlone = false
            if isAlert, let suspect = suspect(message) {
                // What came before it first, and without it.
                try flush(batch, messages: i - flushed, newest: newest)
                flushed = i
                // The next message begins a run of its own.
                current = nil
                if suspect.isPoison {
                    try reject(message, InputError(.poison))
                    shard.positions.advance(
                        Int(message.topic), to: message.offset + 1, timestamp: message.timestamp)
                    continue
                }
                isAlone = true
                isolate(suspect, in: shard)
            }
            let timestamp = message.timestamp
            newest = max(newest, timestamp)
            do throws(InputError) {
                try processor.append(
                    message.payloadBuffer, key: message.keyBuffer,
                    source: SourcePosition(
                        topic: max(0, message.topic), partition: partition, offset: message.offset,
                        timestamp: timestamp), tag: i)
            } catch {
                try reject(message, error)
            }
            shard.positions.advance(Int(message.topic), to: message.offset + 1, timestamp: timestamp)
            if isAlone {
                try flush(batch, messages: 1, newest: timestamp)
                flushed = i + 1
                poison?.clear()
            }
        }
        try flush(batch, messages: batch.count - flushed, newest: newest)
    }

    private func flush(_ batch: borrowing MessageBatch, messages: Int, newest: Int64) throws {
        guard loadSpilled() else { return }
        let outcome = try processor.flush { tag, error in
            try reject(batch[tag], error)
        }
        for shard in shards.values {
            try shard.content.takeOutputs { (records, bytes) throws(KafkaError) in
                try producer.produceBatch(
                    scores, partition: context.layout.outputPartition(of: shard.partition.partition), records,
                    bytes: bytes, forwarding: forwarded, of: batch)
            }
        }
        KillPoint.afterScores.reached()
        record(outcome, messages: messages, newest: newest)
    }

    private func reject(_ message: borrowing Message, _ error: InputError) throws {
        let reason =
            error.field.featureIndex.map {
                "feature \(context.model.featureNames[$0]) " + "has no value for this user, "
                    + "and the model refuses missing values"
            } ?? error.message(schema: processor.schema)
        try deadLetters.write(
            message, topic: context.configuration.inputTopics[Int(max(0, message.topic))], code: error.code.name,
            reason: reason)
        KillPoint.afterDeadLetter.reached()
        context.metrics.deadLetters.wrappingAdd(1, ordering: .relaxed)
    }

    private func record(_ outcome: Processor.Outcome, messages: Int, newest: Int64) {
        let metrics = context.metrics
        metrics.messages.wrappingAdd(messages, ordering: .relaxed)
        metrics.events.wrappingAdd(outcome.events, ordering: .relaxed)
        metrics.scores.wrappingAdd(outcome.scores, ordering: .relaxed)
        metrics.duplicates.wrappingAdd(outcome.duplicates, ordering: .relaxed)
        metrics.erasures.wrappingAdd(outcome.erasures, ordering: .relaxed)
        metrics.treat.wrappingAdd(outcome.treat, ordering: .relaxed)
        metrics.suppress.wrappingAdd(outcome.suppress, ordering: .relaxed)
        metrics.uncertain.wrappingAdd(outcome.uncertain, ordering: .relaxed)
        guard newest > 0, outcome.scores > 0 else { return }
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        let now = Double(clock.tv_sec) * 1_000 + Double(clock.tv_nsec) / 1e6
        metrics.latency.record(milliseconds: max(0, now - Double(newest)), count: outcome.scores)
    }

    private func reportLag() {
        var late = 0, users = 0
        for shard in shards.values {
            // A rollback takes late events back: the difference may be negative for a moment.
            late += Int(shard.state.counters.late) - Int(shard.reportedLate)
            shard.reportedLate = shard.state.counters.late
            users += shard.state.userCount
        }
        context.metrics.late.wrappingAdd(late, ordering: .relaxed)
        context.inputWatch.note(component, shards.values.map(\.positions))
        context.metrics.input.note(component, processor)
        context.metrics.workers.update(component, lag: Int(consumer.lag) + (merger?.waiting ?? 0), users: users)
        guard let merger, merger.lateRecords > reportedOutOfOrder else { return }
        context.metrics.outOfOrder.wrappingAdd(merger.lateRecords - reportedOutOfOrder, ordering: .relaxed)
        reportedOutOfOrder = merger.lateRecords
    }

    /// Ends in bounded time: the clients have deadlines of their own.
    private func close() {
        let timeout = context.configuration.shutdownTimeoutMilliseconds / 4
        KillPoint.beforeLeave.reached()
        // A record that still waits would keep the client from ending.
        merger?.removeAll()
        consumer.close(timeoutMilliseconds: timeout)
        KillPoint.afterLeave.reached()
        finishCheckpoints(within: timeout)
        restorer.close()
        producer.close(timeoutMilliseconds: timeout)
        context.metrics.workers.update(component, lag: 0, users: 0)
    }

    // MARK: AssignmentHandler, on this thread inside poll

    func assigned(_ partitions: [TopicPartition]) {
        do {
            // Waits until no transaction of the previous owner is pending (KIP-447); only then is the changelog's end
            // the end of what that owner committed.
            let committed = try committedOffsets(of: partitions)
            KillPoint.afterCommittedOffsets.reached()
            var fresh: [Shard] = []
            for number in try numbers(of: partitions) {
                if let kept = takeParked(number, committed: committed) {
                    shards[number] = kept
                    continue
                }
                let shard = makeShard(number)
                shard.positions.begin(at: committed)
                shards[number] = shard
                fresh.append(shard)
            }
            merger?.add(partitions)
            retireParked()
            try consumer.pause(fresh.flatMap(\.positions.partitions))
            try restorer.add(fresh)
            KillPoint.afterAssigned.reached()
        } catch {
            if consumer.isFenced { return leave(fencedBy: error) }
            failure = error
        }
    }

    /// The partition numbers, of which every input topic's partition must have come.
    private func numbers(of partitions: [TopicPartition]) throws(ImpactError) -> [Int32] {
        if let new = partitions.first(where: { Int($0.partition) >= context.layout.inputPartitions }) {
            throw PartitionCounts.changed(
                new.topic, from: context.layout.inputPartitions, to: Int(new.partition) + 1)
        }
        let counts = partitions.reduce(into: [Int32: Int]()) { $0[$1.partition, default: 0] += 1 }
        guard let torn = counts.first(where: { $0.value != consumer.topics.count }) else { return counts.keys.sorted() }
        throw ImpactError(
            .failed, code: "torn_assignment",
            "the group assigned partition \(torn.key) of only \(torn.value) of the \(consumer.topics.count) input topics: "
                + "all members of a group must read the same input.topics")
    }

    private func committedOffsets(of partitions: [TopicPartition]) throws -> [TopicPartition: Int64] {
        while true {
            do {
                return try consumer.committed(partitions)
            } catch {
                if error.isFatal || error.isAuthorization { throw error }
                if context.isStopRequested { return [:] }
                Log.warning(component, "\(error); trying again")
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
    }

    func revoked(_ partitions: [TopicPartition]) {
        KillPoint.beforeRevokeCommit.reached()
        commitLast()
        KillPoint.afterRevokeCommit.reached()
        drop(partitions)
        KillPoint.afterDrop.reached()
    }

    func lost(_ partitions: [TopicPartition]) {
        if isOpen {
            isOpen = false
            settle(producer.abort(), attempted: [:])
        }
        drop(partitions)
    }

    private func drop(_ partitions: [TopicPartition]) {
        merger?.remove(partitions)
        park(partitions)
        do { try restorer.remove(partitions.map(\.partition)) } catch { failure = error }
    }

    func reachedEnd(of partition: TopicPartition, at offset: Int64) { merger?.reachedEnd(of: partition, at: offset) }
}
