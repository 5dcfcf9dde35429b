import Base
import Engine
import Events
import Features
import Foundation
import Synchronization

/// What a page about the running pipeline wants to see beyond the metrics: some scores, some rejected messages, the state
/// of a user. Off the hot path: a worker counts its scores a batch, and copies one only when it falls into the sample.
package final class LiveTap: Sendable {
    /// A rejected message, shortened.
    package struct Rejection: Sendable {
        package var code: String
        package var reason: String
        package var topic: String
        package var partition: Int32
        package var offset: Int64
        /// Milliseconds since 1970.
        package var time: Int64
        /// The first bytes of the value.
        package var value: [UInt8]
    }

    private struct State {
        /// A reservoir: each score since ``begun`` stands in it with the same chance.
        var scores: [(number: Int, json: [UInt8])] = []
        /// Scores counted when the reservoir was last taken.
        var begun = 0
        var randomness = SystemRandomNumberGenerator()
        /// The chance of the next score, as Li's algorithm L keeps it.
        var weight = 1.0
        /// Users who were erased, or refused something, since they were last taken; nil: too many to tell.
        var withdrawn: Set<[UInt8]>? = []
        /// The newest of each code.
        var rejections: [String: Rejection] = [:]
    }

    private let state = Mutex(State())
    /// Scores made, and the number of the next one that is taken.
    private let counted = Atomic<Int>(0)
    private let nextTaken = Atomic<Int>(0)
    /// When the next sample is due, milliseconds of the monotonic clock.
    private let rejectionDue = Atomic<Int64>(0)
    private let boxes: [Mailbox]
    private let reports = Mutex<[Int: WorkerReport]>([:])

    /// How a partition's state stands.
    package enum ShardPhase: String, Sendable { case restoring, ready }

    /// How far the restore of a partition is.
    package struct Restore: Sendable {
        /// Users loaded from the local copy.
        package var loaded: Int
        /// Changelog records to read, and how many of them are left.
        package var records: Int64
        package var left: Int64
    }

    /// What a worker said last about its partitions and its broker.
    struct WorkerReport {
        var shards: [Int32: ShardPhase] = [:]
        var restores: [Int32: Restore] = [:]
        /// When the group last handed out or took partitions, milliseconds since 1970.
        var rebalanced: Int64?
        var isBrokerAway = false
        /// For its group to hand out partitions.
        var isWaiting = false
    }

    /// Whether the start waits for a broker.
    private let waitsForBroker = Atomic<Bool>(false)
    var isBrokerAway: Bool {
        get { waitsForBroker.load(ordering: .relaxed) }
        set { waitsForBroker.store(newValue, ordering: .relaxed) }
    }

    private static let interval: Int64 = 20
    private static let mostScores = 128
    private static let mostWithdrawn = 4_096
    private static let valueBytes = 400

    package init(workers: Int) { boxes = (0..<workers).map { _ in Mailbox() } }

    // MARK: What a worker says

    /// Counts the records that a batch made, and takes those that are to be shown: a sample in which a busy moment has as
    /// much say as its scores are many. Mostly one addition and one comparison a batch.
    @inline(__always)
    package func offer(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) {
        let first = counted.wrappingAdd(records.count, ordering: .relaxed).oldValue
        guard first + records.count > nextTaken.load(ordering: .relaxed) else { return }
        take(first, records, bytes)
    }

    @inline(never)
    private func take(_ first: Int, _ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            var next = nextTaken.load(ordering: .relaxed)
            while next < first + records.count {
                // Another worker's batch may have passed over the number: then this batch's first record stands for it.
                let record = records[max(0, next - first)]
                if record.valueCount > 0 {
                    let value = Array(bytes[record.valueStart..<record.valueStart + Int(record.valueCount)])
                    if state.scores.count < Self.mostScores {
                        state.scores.append((next, value))
                    } else {
                        state.scores[Int.random(in: 0..<Self.mostScores, using: &state.randomness)] = (next, value)
                    }
                }
                next = max(next, first) + 1 + Self.skip(&state)
            }
            nextTaken.store(next, ordering: .relaxed)
        }
    }

    /// How many scores to pass over: none until the reservoir is full, then ever more (Li 1994, algorithm L).
    private static func skip(_ state: inout State) -> Int {
        guard state.scores.count == mostScores else { return 0 }
        func uniform() -> Double { Double.random(in: .leastNonzeroMagnitude..<1, using: &state.randomness) }
        state.weight *= exp(log(uniform()) / Double(mostScores))
        return Int(min(1e15, (log(uniform()) / log1p(-state.weight)).rounded(.down)))
    }

    /// A user was erased, or refuses something: nothing is shown of them any more.
    package func withdraw(_ user: UnsafeRawBufferPointer) {
        state.withLock { state in
            guard let count = state.withdrawn?.count else { return }
            if count < Self.mostWithdrawn { state.withdrawn?.insert(Array(user)) } else { state.withdrawn = nil }
        }
    }

    package func reject(
        code: String, reason: String, topic: String, partition: Int32, offset: Int64, value: UnsafeRawBufferPointer?
    ) {
        let now = Self.now()
        // The first of a code is always taken, so that each has its sample.
        guard now >= rejectionDue.load(ordering: .relaxed) || state.withLock({ $0.rejections[code] == nil }) else {
            return
        }
        rejectionDue.store(now + Self.interval, ordering: .relaxed)
        let rejection = Rejection(
            code: code, reason: reason, topic: topic, partition: partition, offset: offset,
            time: Int64(Date().timeIntervalSince1970 * 1_000),
            value: Array((value ?? .init(start: nil, count: 0)).prefix(Self.valueBytes)))
        state.withLock { $0.rejections[code] = rejection }
    }

    /// A worker says how it stands, once a second.
    func report(_ report: WorkerReport, of worker: Int) {
        reports.withLock { $0[worker] = report }
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    // MARK: What a reader asks

    /// What was sampled of the scores made since the last call.
    package struct ScoreSample: Sendable {
        /// JSON of the output topic, the oldest first.
        package var scores: [[UInt8]]
        /// How many scores it is a sample of.
        package var count: Int
    }

    /// The sample since the last call; a new one begins.
    package func takeScores() -> ScoreSample {
        state.withLock { state in
            let counted = counted.load(ordering: .relaxed)
            let sample = ScoreSample(
                scores: state.scores.sorted { $0.number < $1.number }.map(\.json), count: counted - state.begun)
            state.scores.removeAll(keepingCapacity: true)
            state.begun = counted
            state.weight = 1
            nextTaken.store(counted, ordering: .relaxed)
            return sample
        }
    }

    /// Users who were erased, or refused something, since the last call; nil: so many that everybody shown must go. After
    /// ``takeScores()``, so that none of its scores is of one who is not told yet.
    package func takeWithdrawn() -> Set<[UInt8]>? {
        state.withLock { state in
            defer { state.withdrawn = [] }
            return state.withdrawn
        }
    }

    /// The newest rejected message of each code, the oldest first.
    package var rejections: [Rejection] {
        state.withLock { $0.rejections.values.sorted { ($0.time, $0.code) < ($1.time, $1.code) } }
    }

    /// This process's partitions and how they stand.
    package var partitions: [Int32: ShardPhase] {
        reports.withLock { reports in
            reports.values.reduce(into: [:]) { all, report in all.merge(report.shards) { first, _ in first } }
        }
    }

    /// The partitions that are being restored.
    package var restores: [Int32: Restore] {
        reports.withLock { reports in
            reports.values.reduce(into: [:]) { all, report in all.merge(report.restores) { first, _ in first } }
        }
    }

    /// When the group last handed out or took partitions of this process, milliseconds since 1970.
    package var rebalanced: Int64? { reports.withLock { $0.values.compactMap(\.rebalanced).max() } }

    /// Why the pipeline is not at work, in words; nil when it is.
    package var notReady: String? {
        let reports = reports.withLock { $0 }
        guard reports.count == boxes.count else {
            return isBrokerAway ? "no broker answers" : "the workers are starting"
        }
        if reports.values.contains(where: \.isBrokerAway) { return "no broker answers" }
        if reports.values.contains(where: \.isWaiting) { return "the group has not handed out partitions yet" }
        let shards = reports.values.flatMap(\.shards.values)
        let restoring = shards.count { $0 == .restoring }
        return restoring == 0 ? nil : "the state of \(restoring) of \(shards.count) partitions is being restored"
    }

    /// What is known of users in the memory of this process's workers.
    package struct UserState: Sendable {
        package var partition: Int32
        /// Latest event time, milliseconds since 1970.
        package var clock: Int64
        package var events: Int
        package var features: [Float]
        /// What the user refuses by a consent event.
        package var refuses: Purposes = []

        /// Whether anything is kept of the user that may be shown as theirs.
        package var isShown: Bool { !refuses.contains(.storing) }
        package var isScored: Bool { refuses.isEmpty }
    }

    /// Asks every worker; users whom none of them knows are left out.
    ///
    /// - Returns: nil when a worker does not answer in time: it is stopped, or waits for the broker.
    package func find(_ users: [[UInt8]], within seconds: Double) -> [[UInt8]: UserState]? {
        let question = Question(users)
        for box in boxes { box.put(question) }
        let end = DispatchTime.now() + seconds
        for _ in boxes { if question.answered.wait(timeout: end) == .timedOut { return nil } }
        return question.found.withLock { $0 }
    }

    /// Answers what waits for a worker.
    ///
    /// - Parameter look: what the worker knows of a user.
    @inline(__always)
    func answer(worker: Int, _ look: ([UInt8]) -> UserState?) {
        guard boxes.indices.contains(worker), boxes[worker].isFilled.load(ordering: .acquiring) else { return }
        for question in boxes[worker].takeAll() {
            for user in question.users {
                if let state = look(user) { question.found.withLock { $0[user] = state } }
            }
            question.answered.signal()
        }
    }

    private final class Question: Sendable {
        let users: [[UInt8]]
        let found = Mutex<[[UInt8]: UserState]>([:])
        let answered = DispatchSemaphore(value: 0)

        init(_ users: [[UInt8]]) { self.users = users }
    }

    private final class Mailbox: Sendable {
        let isFilled = Atomic<Bool>(false)
        private let questions = Mutex<[Question]>([])

        func put(_ question: Question) {
            questions.withLock { $0.append(question) }
            isFilled.store(true, ordering: .releasing)
        }

        func takeAll() -> [Question] {
            questions.withLock { questions in
                isFilled.store(false, ordering: .relaxed)
                defer { questions.removeAll() }
                return questions
            }
        }
    }
}
