import Base
import Engine
import Features
import Foundation
import Kafka
import Settings
import StateStore
import Synchronization

/// The shards of one worker: those it works on, those whose partitions went and may come back, and those whose last pass
/// into the local store is under way. Keeps memory within its bound.
///
/// ```
///           assigned ─► shards ──revoked, lost──► parked ──assigned again, untouched by others──► shards
///                                                   │ assigned to another
///                                                   ▼
///                                                retiring ──last pass written──► gone
/// ```
/// `range` revokes everything at each rebalance and mostly gives the same partitions back: a parked one goes on without
/// being restored when the group's committed offset says that nobody else has worked on it.
final class ShardKeeper {
    private var owned: [Int32: Shard] = [:]
    private var parked: [Int32: Shard] = [:]
    private var retiring: [Shard] = []
    private let context: WorkerContext
    private let topics: [String]
    private let plan: FeaturePlan
    private let component: String
    /// Keeps memory within its bound; nil without one.
    private let spill: WorkerSpill?
    /// What a worker may spend on its passes after a commit: a fiftieth of its time, a millisecond at least.
    private let passBudget: Duration

    init(_ context: WorkerContext, topics: [String], plan: FeaturePlan, component: String) throws(ImpactError) {
        self.context = context
        self.topics = topics
        self.plan = plan
        self.component = component
        passBudget = .microseconds(max(1_000, context.configuration.commitIntervalMilliseconds * 20))
        spill = try context.configuration.workerMemoryBytes().flatMap { bound in
            context.local.map { WorkerSpill(bound: bound, store: $0.store) }
        }
    }

    /// Whether users may be in the local store alone, and that store.
    var spillsUsers: Bool { spill != nil }
    var localStore: StateStore? { context.local?.store }

    // MARK: What is owned

    var isEmpty: Bool { owned.isEmpty }
    var shards: Dictionary<Int32, Shard>.Values { owned.values }

    subscript(number: Int32) -> Shard? { owned[number] }

    /// Takes a partition over: a new shard with its right to the local store.
    func add(_ number: Int32, at committed: [TopicPartition: CommittedOffset], isAligned: Bool) -> Shard {
        let shard = Shard(
            number, topics: topics, plan: plan,
            timeToLive: Int64(context.configuration.stateTimeToLiveMilliseconds))
        if let local = context.local {
            shard.checkpoint = ShardCheckpoint(
                local, local.acquire(number),
                intervalMilliseconds: context.configuration.checkpointIntervalMilliseconds, component: component)
        }
        shard.content.withdrawn = { [live = context.live] user in live.withdraw(user) }
        shard.positions.begin(at: committed)
        shard.isAligned = isAligned
        owned[number] = shard
        return shard
    }

    /// Goes on with the parked shard of a partition, when nobody else has worked on it.
    ///
    /// - Returns: false when there is none: ``add(_:at:)`` is next.
    func takeBack(_ number: Int32, committed: [TopicPartition: CommittedOffset]) -> Bool {
        guard let shard = parked[number], shard.positions.stands(at: committed),
            !(shard.checkpoint?.ticket.isEnded ?? false)
        else { return false }
        parked[number] = nil
        owned[number] = shard
        return true
    }

    /// Partitions went.
    ///
    /// - Parameter keeps: whether the shards are kept for the case that their partitions come back.
    func drop(_ partitions: [TopicPartition], keeps: Bool) {
        for partition in partitions {
            guard let shard = owned.removeValue(forKey: partition.partition) else { continue }
            if shard.isRestored, keeps { parked[partition.partition] = shard } else { release(shard) }
        }
    }

    /// Lets the parked shards that did not come back finish their last pass.
    func retireParked() {
        retiring += parked.values
        parked.removeAll()
    }

    private func release(_ shard: Shard) {
        if let checkpoint = shard.checkpoint { checkpoint.local.release(checkpoint.ticket) }
    }

    // MARK: Transactions

    var positions: some Sequence<ReadPositions> { owned.values.lazy.map(\.positions) }

    /// The offsets to commit.
    func offsets(_ some: KeyPath<ReadPositions, [TopicPartition: Int64]>) -> [TopicPartition: Int64] {
        owned.values.reduce(into: [:]) { offsets, shard in offsets.merge(shard.positions[keyPath: some]) { $1 } }
    }

    /// Whether a commit is needed for records of the changelog that nobody can read.
    var hasQuarantined: Bool { owned.values.contains { $0.quarantined != nil } }

    /// Whether a pass that takes erased users out of the local copy waits for a commit that proves the partition's ownership:
    /// without events none would come.
    var awaitsProof: Bool { owned.values.contains { $0.isRestored && $0.checkpoint?.awaitsProof ?? false } }

    /// The transaction was committed.
    func accept() {
        let quarantined = owned.values.reduce(0) { $0 + ($1.quarantined?.count ?? 0) }
        if quarantined > 0 {
            context.metrics.unreadable.add(quarantined)
            context.metrics.deadLetters.add(quarantined, UnreadableRecords.code)
        }
        for shard in owned.values { shard.accept() }
    }

    /// Takes memory back to the last commit; what was made since then is forgotten.
    func rollback() {
        for shard in owned.values {
            shard.content.takeOutputs { _, _ in }
            shard.rollback()
        }
    }

    /// Bytes that the undo logs of the transaction at hand hold.
    var undoBytes: Int { owned.values.reduce(0) { $0 + $1.state.undoBytes } }
    /// The same of each partition.
    func lags(_ marks: (TopicPartition) -> Watermarks?) -> [(TopicPartition, Int?)] {
        owned.values.flatMap { $0.positions.lags(marks) }
    }

    /// See ``ReadPositions/withoutEnd``.
    var withoutEnd: Set<TopicPartition> { Set(owned.values.flatMap { $0.positions.withoutEnd }) }

    /// Messages that can be read and were not taken yet; nil when a partition's marks are not known.
    func lag(_ marks: (TopicPartition) -> Watermarks?) -> Int? {
        owned.values.reduce(0 as Int?) { sum, shard in
            sum.flatMap { sum in shard.positions.lag(marks).map { sum + $0 } }
        }
    }

    /// The consumer has delivered everything of a partition.
    func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        guard let topic = topics.firstIndex(of: partition.topic) else { return }
        owned[partition.partition]?.positions.reachedEnd(topic, at: offset)
    }

    /// Everything that was delivered is handled; see ``ReadPositions/settleEnds(where:)``.
    func settleEnds(where isHandled: (TopicPartition) -> Bool) -> Bool {
        var isMoved = false
        for shard in owned.values where shard.positions.settleEnds(where: isHandled) { isMoved = true }
        return isMoved
    }

    /// Users in state.
    var users: Int { owned.values.reduce(0) { $0 + $1.state.userCount } }

    /// Memory that state takes.
    var residentBytes: Int { WorkerSpill.used(owned.values) }

    // MARK: The local copy

    /// Between commits: a piece of each pass that is under way.
    ///
    /// - Parameter isProven: whether a commit has just shown that the partitions are still this member's.
    func advance(isProven: Bool) {
        guard context.local != nil else { return }
        let until = ContinuousClock.now + passBudget
        for shard in owned.values where shard.isRestored {
            shard.checkpoint?.advance(shard.state, until: until, isProven: isProven)
        }
        guard !retiring.isEmpty else { return }
        for shard in retiring { shard.checkpoint?.advance(shard.state, until: until, isProven: false) }
        retiring.removeAll { shard in
            if shard.checkpoint?.isWorking == true { return false }
            release(shard)
            return true
        }
    }

    /// After a commit: takes erased users out of the local copy at once, where a look-up might find them.
    func deleteErased() {
        for shard in owned.values where shard.hasSpilled { shard.checkpoint?.deleteErased(shard.state) }
    }

    /// The shards whose local copies lack something, or will after the next commit.
    ///
    /// - Parameter isOpen: whether a transaction is under way.
    func behind(isOpen: Bool) -> [Shard] {
        guard context.local != nil else { return [] }
        return owned.values.filter { $0.isRestored && ($0.checkpoint?.isBehind ?? false || isOpen) }
    }

    /// Asks for the changelog's ends, and waits for the answers: what a commit then proves. A broker that does not say (a
    /// topic that was made a moment ago) is asked again.
    func askMarks(of shards: [Shard]) {
        guard let local = context.local else { return }
        let tickets = shards.compactMap { $0.checkpoint?.ticket }
        for ticket in tickets { local.ask(ticket) }
        let deadline = ContinuousClock.now + .seconds(2)
        while tickets.contains(where: { !$0.isAnswered }), ContinuousClock.now < deadline {
            Thread.sleep(forTimeInterval: 0.001)
            for ticket in tickets where !ticket.isAnswered { local.ask(ticket) }
        }
    }

    /// A commit has proved the marks: the last pass of shards that go.
    func beginLastPasses(of shards: [Shard]) {
        let behind = shards.count { !($0.checkpoint?.beginLast($0.state) ?? true) }
        guard behind > 0 else { return }
        Log.warning(
            component,
            "the broker does not say where the changelog ends: the local copies of \(behind) partitions stay as they are, "
                + "and the next start replays more")
    }

    /// Writes what the local store lacks; on leaving.
    func finish(within milliseconds: Int) {
        retireParked()
        if context.local == nil { return retiring.removeAll() }
        let deadline = ContinuousClock.now + .milliseconds(milliseconds)
        while !retiring.isEmpty, ContinuousClock.now < deadline {
            advance(isProven: false)
            if !retiring.isEmpty { Thread.sleep(forTimeInterval: 0.001) }
        }
        if !retiring.isEmpty {
            Log.warning(component, "no time to bring the local copy up to date: the next start replays more")
        }
        for shard in retiring { release(shard) }
        retiring.removeAll()
    }

    // MARK: Memory

    /// Whether memory is at its bound, so that only a commit makes room.
    var isMemoryFull: Bool {
        guard let spill else { return false }
        return WorkerSpill.used(owned.values) > spill.bound / 20 * 19
    }

    /// Whether half of the bound is taken: a restore leaves the other users in the store.
    var isHalfFull: Bool {
        guard let spill else { return false }
        return WorkerSpill.used(owned.values) > spill.bound / 2
    }

    /// Brings back the users whom the batch at hand needs.
    ///
    /// - Throws: ``LostUsers`` when the store lost them: everything must be restored anew.
    func loadSpilled(_ processor: Processor) throws(LostUsers) {
        guard let spill else { return }
        let generation = context.local?.store.generation ?? 0
        let before = spill.loaded
        do throws(ImpactError) {
            try processor.forEachRun { partition, events, range throws(ImpactError) in
                guard let shard = owned[partition.number] else { return }
                try spill.load(shard, events, range)
            }
            context.metrics.reloadedUsers.add(spill.loaded - before)
        } catch {
            if StateStore.isDamage(error) || error.code.hasPrefix("state_record_") {
                try? context.local?.store.replace(generation: generation, reason: error.message)
            }
            throw LostUsers(reason: error.message)
        }
    }

    /// Between commits: drops cold users when memory is nearly full. A full disk is waited for: the stream stands
    /// still meanwhile, and nothing is lost.
    ///
    /// - Returns: why everything must be restored anew, when the store lost users.
    func relieve() throws(ImpactError) -> LostUsers? {
        guard let spill else { return nil }
        if owned.values.contains(where: { $0.checkpoint?.isLost ?? false }) {
            return LostUsers(reason: "the local store lost users")
        }
        let before = spill.evicted
        defer { context.metrics.evictedUsers.add(spill.evicted - before) }
        var tries = 0
        while !context.isStopRequested {
            do throws(ImpactError) {
                try spill.relieve(Array(owned.values))
                return nil
            } catch {
                if error.code == "state_spill_lost" { return LostUsers(reason: error.message) }
                tries += 1
                if tries > 120 { throw error }
                Thread.sleep(forTimeInterval: 0.5)
            }
        }
        return nil
    }
}

/// The local store no longer has users whom memory does not hold.
struct LostUsers: Error {
    let reason: String
}
