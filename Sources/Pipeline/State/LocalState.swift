import Base
import Foundation
import Kafka
import Settings
import StateStore
import Synchronization

/// The local checkpoint of one process: the store, and the one thread that asks for the changelog's ends and writes.
///
/// ```
///  worker ──question──► thread ──► broker: end of the changelog's committed part
///  worker ──batch─────► thread ──► store
/// ```
/// The queue is bounded: a worker that finds it full goes on with the stream and tries again after the next commit.
package final class LocalState: @unchecked Sendable {  // Mutable state is behind `condition` and `tickets`.
    package let store: StateStore
    let changelog: String
    let trouble = StoreTrouble()
    /// How long a tombstone stays in the changelog, milliseconds: a store older than that cannot be trusted to know who
    /// was deleted.
    let tombstoneMilliseconds: Int64
    /// Asks the broker for the end of a partition of the changelog; nil when it does not say.
    private let marks: (Int32) -> CheckpointTicket.Marks?
    private let tickets = Mutex<[Int32: CheckpointTicket]>([:])

    private enum Job {
        case ask(CheckpointTicket)
        case write(CheckpointTicket, StoreBatch, generation: Int)
        case compact(partition: Int32, erased: [[UInt8]])
        case compactAll
    }
    /// Files hold what was deleted no longer than this: users who expired, moved or were erased elsewhere. Who is erased
    /// here goes with the pass that writes the erasure.
    package static let deletionDeadline: Int64 = 24 * 3_600_000
    private let deletionDeadline: Int64
    /// When all files are to be merged, milliseconds since 1970; the store's thread alone.
    private var compactionDue: Int64?
    private let condition = NSCondition()
    private var jobs: [Job] = []
    private var spare: [StoreBatch] = []
    private var isClosed = false
    private let done = DispatchGroup()
    static let queueLength = 16
    /// A batch is handed over at this size.
    static let batchBytes = 512 << 10

    package init(
        store: StateStore, changelog: String, tombstoneMilliseconds: Int64 = 86_400_000,
        deletionDeadline: Int64 = LocalState.deletionDeadline,
        marks: @escaping (Int32) -> CheckpointTicket.Marks?
    ) {
        self.store = store
        self.changelog = changelog
        self.tombstoneMilliseconds = tombstoneMilliseconds
        self.marks = marks
        self.deletionDeadline = deletionDeadline
        compactionDue = ((try? store.deletionsSince()) ?? nil).map { $0 + deletionDeadline }
        done.enter()
        let thread = Thread { [self] in
            work()
            done.leave()
        }
        thread.name = "state-store"
        // RocksDB works deep in its own calls.
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// The process's local copy; nil when the configuration wants none, or the store cannot be used: the changelog
    /// has everything, a start then takes longer.
    convenience init?(
        _ configuration: Configuration, _ identity: ProcessIdentity, _ layout: TopicLayout
    ) throws(ImpactError) {
        guard configuration.usesLocalStore else { return nil }
        var options = StateStore.Options()
        options.cacheBytes = configuration.stateCacheBytes
        options.writeBufferBytes = configuration.stateWriteBufferBytes
        let store: StateStore
        do {
            store = try StateStore(
                path: "\(StateFolder.path(configuration))/rocksdb-\(identity.number)", options: options)
        } catch {
            if case .bytes = configuration.stateMemory { throw error }
            Log.warning("state", "\(error.message). Going on without a local copy: the next start restores everything")
            return nil
        }
        let admin = try Admin(
            properties: configuration.kafkaProperties(client: "consumer"), readCommitted: true, component: "state")
        let topic = configuration.changelogTopic
        self.init(store: store, changelog: topic, tombstoneMilliseconds: layout.tombstoneMilliseconds) { partition in
            let time = Self.now()
            guard let marks = try? admin.watermarks(of: TopicPartition(topic, partition)) else { return nil }
            return .init(stable: marks.high, start: marks.low, time: time)
        }
    }

    /// Writes what is queued and closes the store. Once.
    package func close() {
        condition.withLock {
            isClosed = true
            condition.broadcast()
        }
        done.wait()
        store.close()
    }

    /// The only right to write the partition from now on.
    package func acquire(_ partition: Int32) -> CheckpointTicket {
        let ticket = CheckpointTicket(partition)
        let previous = tickets.withLock { $0.updateValue(ticket, forKey: partition) }
        previous?.revoke()
        return ticket
    }

    /// The right to write the partition, if nobody in this process has it.
    func acquireIfFree(_ partition: Int32) -> CheckpointTicket? {
        tickets.withLock { tickets in
            guard tickets[partition] == nil else { return nil }
            let ticket = CheckpointTicket(partition)
            tickets[partition] = ticket
            return ticket
        }
    }

    /// Gives the right back, if it is still the partition's.
    package func release(_ ticket: CheckpointTicket) {
        ticket.revoke()
        tickets.withLock { if $0[ticket.partition] === ticket { $0[ticket.partition] = nil } }
    }

    /// Whether somebody in this process may write the partition.
    func isTaken(_ partition: Int32) -> Bool { tickets.withLock { $0[partition] != nil } }

    /// Asks for the changelog's end; the ticket gets the answer.
    package func ask(_ ticket: CheckpointTicket) {
        guard ticket.beginAsking() else { return }
        condition.withLock {
            // Before the writes: a question is short.
            jobs.insert(.ask(ticket), at: 0)
            condition.broadcast()
        }
    }

    /// Whether a batch would be taken at once.
    var hasRoom: Bool { condition.withLock { jobs.count < Self.queueLength } }

    /// Hands a batch over; waits while the queue is full.
    ///
    /// - Parameter generation: the store it is for; another one does not take it.
    func submit(_ batch: StoreBatch, _ ticket: CheckpointTicket, generation: Int) {
        ticket.addPending()
        condition.withLock {
            while jobs.count >= Self.queueLength, !isClosed { condition.wait() }
            jobs.append(.write(ticket, batch, generation: generation))
            condition.broadcast()
        }
    }

    /// An empty batch.
    func batch() -> StoreBatch { condition.withLock { spare.popLast() } ?? StoreBatch() }

    private func work() {
        while let job = next() {
            switch job {
            case .ask(let ticket):
                ticket.answer(marks(ticket.partition))
            case .write(let ticket, let batch, let generation):
                ticket.write(batch, to: store, generation: generation)
                KillPoint.checkpointBatch.reached()
                noteDeletions(batch)
                batch.removeAll()
                condition.withLock { if spare.count < 4 { spare.append(batch) } }
            case .compact(let partition, let erased):
                attempt { () throws(ImpactError) in try store.compact(partition, users: erased) }
            case .compactAll:
                compactionDue = nil
                attempt { () throws(ImpactError) in try store.compact() }
            }
        }
    }

    /// What was deleted is to be out of the files by a deadline.
    private func noteDeletions(_ batch: StoreBatch) {
        guard batch.hasDeletions, compactionDue == nil else { return }
        let now = Self.now()
        attempt { () throws(ImpactError) in
            try store.noteDeletions(at: now)
            compactionDue = now + deletionDeadline
        }
    }

    private func attempt(_ body: () throws(ImpactError) -> Void) {
        do throws(ImpactError) { try body() } catch { Log.debug("state", error.message) }
    }

    /// These users were erased, and the store knows: takes their earlier records out of its files.
    func compact(_ partition: Int32, erased: [[UInt8]]) {
        condition.withLock {
            jobs.append(.compact(partition: partition, erased: erased))
            condition.broadcast()
        }
    }

    private func next() -> Job? {
        condition.withLock {
            while jobs.isEmpty, !isClosed {
                guard let due = compactionDue else {
                    condition.wait()
                    continue
                }
                let left = due - Self.now()
                if left <= 0 { return .compactAll }
                _ = condition.wait(until: Date(timeIntervalSinceNow: Double(left) / 1_000))
            }
            guard !jobs.isEmpty else { return nil }
            defer { condition.broadcast() }
            return jobs.removeFirst()
        }
    }

    /// Milliseconds since 1970.
    package static func now() -> Int64 {
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        return Int64(clock.tv_sec) * 1_000 + Int64(clock.tv_nsec) / 1_000_000
    }
}
