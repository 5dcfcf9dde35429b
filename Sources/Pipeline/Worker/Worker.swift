import Base
import Consumer
import Engine
import Features
import Foundation
import Kafka
import Settings
import Sinks
import Synchronization

/// One thread's share of the pipeline: a consumer, a producer, and the state of the partitions assigned to it.
///
/// ```
///            ┌────────────── assigned ──────────────┐
///            ▼                                      │
///  poll ─► process ─► produce ─┬─ when it is due (CommitRule) ─► changelog, offsets, commit
///   ▲                          │                                │ committed: state.commit()
///   └──────────────────────────┴────────────────────────────────┤ aborted: state.rollback(), seek back
///                                                               │ fenced: leave, join anew (Application)
///                                        stop: commit, leave ◄──┘
/// ```
/// Its parts own what they work with: ``ShardKeeper`` the shards, ``BatchHandler`` the engine, ``Quarantine`` the notes,
/// ``Committer`` the producer and its transaction. The worker owns reading and its own life (``WorkerLife``), and brings
/// them together. Belongs to the thread that makes it.
final class Worker {
    /// Why ``run()`` ended: asked to; ousted by another of its name; to begin again from what is committed.
    enum Ending { case stopped, fenced, renewed }

    let context: WorkerContext
    let number: Int
    let component: String
    let consumer: EventConsumer
    /// Brings the records of several input topics into one order; nil for one topic.
    let merger: TopicMerger?
    let restorer: StateRestorer
    let keeper: ShardKeeper
    let handler: BatchHandler
    private let quarantine: Quarantine
    let committer: Committer
    var life = WorkerLife()
    private let rule: CommitRule
    /// When the open transaction began, and when its commit is next decided on.
    private var began = ContinuousClock.now
    private var commitDue = ContinuousClock.now
    private var reportDue = ContinuousClock.now
    var wait = GroupWait()
    /// Ends of partitions that are not read yet, as the brokers said, and when they are asked again.
    var askedMarks: [TopicPartition: Watermarks] = [:]
    var askDue = ContinuousClock.now
    /// Whether a partition's end was reached since the last look.
    var hasReachedEnd = false
    /// When the group last handed out or took partitions, milliseconds since 1970.
    var rebalanced: Int64?
    /// Whether a batch failed and the process ends with it.
    private var hasFailedMidway = false
    /// Records that came after the merge's wait, and that the metrics know of already.
    var reportedOutOfOrder = 0

    init(number: Int, context: WorkerContext) throws(ImpactError) {
        self.context = context
        self.number = number
        component = "worker-\(number)"
        let configuration = context.configuration
        let topics = configuration.inputTopics
        var options = ConsumerOptions(group: configuration.applicationID)
        options.clientID = StandbyRule.clientID(
            application: configuration.applicationID, process: context.identity.name, worker: number)
        options.groupInstance = context.instanceName.map { "\($0)-\(number)" }
        options.fetchWaitMilliseconds = 10
        options.reportsPartitionEnd = true
        consumer = try EventConsumer(
            properties: context.properties(client: "consumer"), topics: topics, options: options, component: component)
        merger =
            topics.count > 1 ? TopicMerger(consumer, wait: configuration.inputMergeWaitMilliseconds) : nil
        rule = CommitRule(
            intervalMilliseconds: configuration.commitIntervalMilliseconds,
            longestMilliseconds: configuration.commitIntervalMaxMilliseconds)
        let isTransactional = configuration.guarantee == .exactlyOnce
        var output = ProducerOptions(
            transactionalID: isTransactional
                ? "\(configuration.applicationID)-\(context.identity.name)-\(number)" : nil)
        output.clientID = options.clientID
        output.lingerMilliseconds = isTransactional ? 20 : 1
        output.compression = "lz4"
        let producer = try OutputProducer(
            properties: context.properties(client: "producer"), options: output, component: component)
        let processor = try Processor(model: context.model, settings: try context.processorSettings())
        keeper = try ShardKeeper(context, topics: topics, plan: processor.plan, component: component)
        quarantine = Quarantine(context.poison, worker: number, topics: topics, component: component)
        handler = try BatchHandler(
            context, processor, keeper: keeper, quarantine: quarantine, producer: producer, component: component)
        committer = try Committer(
            context, producer: producer, consumer: consumer, keeper: keeper, deadLetters: handler.deadLetters,
            component: component)
        restorer = try StateRestorer(
            properties: context.properties(client: "consumer"), topic: configuration.changelogTopic,
            metrics: context.metrics, mostUnreadable: configuration.mostUnreadableRecords,
            disbelieved: context.disbelieved, component: component)
        consumer.handler = self
        restorer.isStopped = { context.isStopRequested }
        restorer.isMemoryFull = { [keeper] in keeper.isHalfFull }
    }

    /// Works until the context asks to stop, or until another producer or group member has taken this one's place.
    func run() throws -> Ending {
        defer { close() }
        if committer.producer.start() == .interrupted { return .stopped }
        KillPoint.afterStart.reached()
        try consumer.subscribe()
        while life.departure == nil, !context.isStopRequested { try step() }
        life.handle(.leave(.stopped))
        switch life.departure {
        case .failed(let failure): throw failure.error
        case .fenced: return .fenced
        case .renewed: return .renewed
        case .stopped, nil:
            commit()
            // The last word of this worker: what the line at the stop says.
            report()
            return .stopped
        }
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
        settleEnds()
        if !life.isOpen, life.mayCommit, keeper.hasQuarantined || keeper.awaitsProof { open() }
        context.live.answer(worker: number) { keeper.look(upUser: $0) }
        let now = ContinuousClock.now
        commitIfDue(now)
        if !life.isOpen {
            keeper.advance(isProven: false)
            try relieveMemory()
        }
        if now >= reportDue {
            reportDue = now + .seconds(1)
            report()
        }
    }

    private func commitIfDue(_ now: ContinuousClock.Instant) {
        guard life.isOpen else { return }
        if keeper.isMemoryFull { return commit() }
        let size = CommitRule.Size(
            messages: handler.messages, outputBytes: handler.bytes, undoBytes: keeper.undoBytes)
        guard now >= commitDue || CommitRule.isFull(size) else { return }
        switch rule.decide(age: now - began, size: size, lag: { lag }) {
        case .commit: commit()
        case .wait(let time): commitDue = now + time
        }
    }

    /// Passes over what stands at the end of a log and no reader gets; it is committed like any progress.
    private func settleEnds() {
        guard hasReachedEnd else { return }
        hasReachedEnd = false
        let isMoved = keeper.settleEnds { merger?.isDrained($0) ?? true }
        if merger != nil { hasReachedEnd = true }
        if isMoved, life.mayCommit { open() }
    }

    /// Never longer than until the next commit.
    private func waitMilliseconds() -> Int {
        guard life.isOpen else { return 100 }
        return min(100, max(0, Int((commitDue - .now) / .milliseconds(1))))
    }

    private func pollOnce(timeoutMilliseconds: Int) throws {
        do {
            let batch = try poll(timeoutMilliseconds)
            if batch.isEmpty { return }
            open()
            // A begin that failed has put reading back, so that the batch comes again.
            if life.isOpen, life.mayCommit { try process(batch) }
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

    /// A failure of the producer undoes the whole transaction.
    private func process(_ batch: borrowing MessageBatch) throws {
        do {
            try handler.handle(batch)
        } catch let error as KafkaError {
            conclude(committer.recover(from: error))
        } catch let lost as LostUsers {
            renew(lost)
        } catch {
            // Part of the batch is handled and part is not: none of it may be committed on the way out.
            hasFailedMidway = true
            life.handle(.leave(.renewed))
            if life.isOpen { conclude(committer.abort()) }
            throw error
        }
    }

    // MARK: Transactions

    /// Begins a transaction with the first message after a commit.
    private func open() {
        guard !life.isOpen else { return }
        if let settlement = committer.begin() { conclude(settlement) } else { life.handle(.began) }
        handler.begin()
        began = .now
        commitDue = began + rule.interval
    }

    /// Makes everything since the last commit visible at once.
    ///
    /// What is quarantined writes a tombstone although no event came, and erased users leave the local copy although none
    /// comes: only the partitions' owner may, which is proved by committing all offsets once more.
    private func commit() { commit(keeper.hasQuarantined || keeper.awaitsProof ? \.known : \.changed) }

    private func commit(_ offsets: KeyPath<ReadPositions, [TopicPartition: Int64]>) {
        guard life.isOpen else { return }
        conclude(committer.commit(offsets: keeper.offsets(offsets)))
    }

    /// Before partitions go: commits, and prepares the last pass of their shards, whose marks the commit proves. Without
    /// anything to commit the offsets are committed once more, which only the partitions' owner can.
    func commitLast() {
        let behind = life.mayCommit ? keeper.behind(isOpen: life.isOpen) : []
        guard !behind.isEmpty else { return commit() }
        keeper.askMarks(of: behind)
        let before = committer.provenCommits
        if life.isOpen {
            commit()
        } else {
            open()
            commit(\.known)
        }
        if committer.provenCommits > before { keeper.beginLastPasses(of: behind) }
    }

    /// Brings memory, reading and the worker's life in line with what became of the transaction.
    func conclude(_ settlement: Committer.Settlement?) {
        guard let settlement else { return }
        life.handle(.ended)
        switch settlement {
        case .committed(let isProven):
            keeper.accept()
            quarantine.forget(before: keeper.positions)
            KillPoint.afterAccept.reached()
            context.metrics.commits.add(1)
            keeper.advance(isProven: isProven)
            keeper.deleteErased()
        case .undone(let cause):
            context.metrics.aborts.add(1)
            if let cause {
                Log.warning(component, "the transaction was aborted: \(cause); going back to the last commit")
            }
            rollback()
            goBack(cause)
        case .fenced(let cause):
            Log.warning(component, "another producer took over (\(cause)): leaving, to join anew")
            rollback()
            life.handle(.leave(.fenced))
        case .interrupted:
            rollback()
        }
    }

    /// Takes memory back to the last commit.
    private func rollback() {
        handler.discard()
        keeper.rollback()
    }

    /// Reads again from the last commit on.
    private func goBack(_ cause: KafkaError?) {
        guard !keeper.isEmpty, life.mayCommit else { return }
        if let cause, isOusted(by: cause) { return leave(fencedBy: cause) }
        do {
            try merger?.rewind()
            try consumer.seekToCommitted()
        } catch {
            if consumer.isFenced { return leave(fencedBy: error) }
            Log.warning(component, "cannot go back (\(error)): leaving, to join anew")
            life.handle(.leave(.renewed))
        }
    }

    /// Whether the group refused an offset because its member's name is another's: the consumer hears of it later.
    private func isOusted(by cause: KafkaError) -> Bool { consumer.isFenced || cause.isFencedMember }

    /// The group gave this member's name to another one, or has lost sight of it: what is open can no longer be committed.
    func leave(fencedBy error: any Error) {
        Log.warning(component, "\(error): leaving, to join anew")
        life.handle(.leave(.fenced))
        if life.isOpen { conclude(committer.abort()) }
    }

    /// The local store lost users whom memory does not hold. What is open is ended by this worker's next life.
    private func renew(_ lost: LostUsers) {
        Log.error(component, "\(lost.reason): leaving, to restore the state from the changelog")
        rollback()
        life.handle(.ended)
        life.handle(.leave(.renewed))
    }

    /// Between commits: makes room in memory.
    private func relieveMemory() throws(ImpactError) {
        guard !life.isOpen, let lost = try keeper.relieve() else { return }
        renew(lost)
    }

    /// Ends in bounded time: the clients have deadlines of their own.
    private func close() {
        let timeout = context.configuration.shutdownTimeoutMilliseconds / 4
        KillPoint.beforeLeave.reached()
        // A record that still waits would keep the client from ending.
        merger?.removeAll()
        consumer.close(timeoutMilliseconds: timeout, leaves: isLeavingGroup)
        KillPoint.afterLeave.reached()
        keeper.finish(within: timeout)
        restorer.close()
        committer.producer.close(timeoutMilliseconds: timeout)
        // What it said last stands when it has stopped.
        if !isGoingForGood {
            report(lags: nil, users: 0, isWaiting: true)
        }
    }

    /// Whether it leaves its group: not when it comes back at once, nor when its place is to be kept for a restart.
    private var isLeavingGroup: Bool { isGoingForGood && context.configuration.leavesGroupOnStop }

    private var isGoingForGood: Bool {
        switch life.departure {
        case .stopped, .failed, nil: true
        case .fenced, .renewed: hasFailedMidway
        }
    }
}
