import Base
import Foundation
import Kafka
import Settings
import Synchronization

/// How far the workers have read, for the thread that looks after the topics.
package final class InputWatch: Sendable {
    /// The last record that was read of a partition.
    struct Anchor: Equatable {
        var offset: Int64
        /// Nil when this process has read none yet, and goes on from an offset that does not tell.
        var timestamp: Int64?
    }

    private let anchors = Mutex<[String: [TopicPartition: Anchor]]>([:])

    package init() {}

    /// What a worker has read of the partitions that it owns now.
    func note(_ worker: String, _ positions: [ReadPositions]) {
        var read: [TopicPartition: Anchor] = [:]
        for position in positions {
            for (partition, next) in position.known {
                read[partition] = Anchor(offset: next - 1, timestamp: position.last(of: partition)?.timestamp)
            }
        }
        anchors.withLock { $0[worker] = read }
    }

    func forget(_ worker: String) { anchors.withLock { $0[worker] = nil } }

    var all: [TopicPartition: Anchor] {
        anchors.withLock { $0.values.reduce(into: [:]) { $0.merge($1) { $1 } } }
    }
}

/// Looks after the topics and the state folder while the workers run: what changes under them must be said at once, since
/// librdkafka says little of it.
///
/// - Partitions added to an input: keys go elsewhere from then on.
/// - An input that is gone, or was made anew: its offsets mean other records.
/// - A state folder that has vanished.
///
/// A topic made anew is known by its answers: the first offset at or after a time, once asked, stays the same for as long as
/// the log is the same and still holds that record.
final class TopicWatch {
    private let configuration: Configuration
    private let layout: TopicLayout
    private let positions: InputWatch
    private let stateFile: String
    private let admin: Admin
    /// For some partitions a time, and the first offset at or after it.
    private var answers: [TopicPartition: (time: Int64, offset: Int64)] = [:]
    private var looked: Set<TopicPartition> = []
    private var missing: [String: Int] = [:]
    private var beyond: [TopicPartition: Int] = [:]
    private var hasSaidFolder = false
    /// How often something odd must be seen: brokers that fail over tell odd things for a moment.
    private static let looks = 3
    static let interval = 2.0

    init(
        _ configuration: Configuration, _ layout: TopicLayout, _ positions: InputWatch, stateFile: String
    ) throws(ImpactError) {
        self.configuration = configuration
        self.layout = layout
        self.positions = positions
        self.stateFile = stateFile
        admin = try Admin(
            properties: configuration.kafkaProperties(client: "consumer"), timeoutMilliseconds: 2_000,
            component: "topic-watch")
        // The workers' own clients say what happens to the connection.
        admin.handle.context.mute()
    }

    func close() { admin.close() }

    /// One look.
    /// - Throws: what the workers must not go on with. Brokers that are away are not a reason.
    func look() throws(ImpactError) {
        lookAtFolder()
        guard let topics = try? admin.topics() else { return }
        for topic in configuration.inputTopics {
            guard let found = topics.first(where: { $0.name == topic }) else {
                missing[topic, default: 0] += 1
                if missing[topic] ?? 0 >= Self.looks { throw Self.gone(topic) }
                continue
            }
            missing[topic] = nil
            if found.partitions != layout.inputPartitions {
                throw PartitionCounts.changed(topic, from: layout.inputPartitions, to: found.partitions)
            }
        }
        try compare(positions.all)
    }

    private func compare(_ anchors: [TopicPartition: InputWatch.Anchor]) throws(ImpactError) {
        answers = answers.filter { anchors[$0.key] != nil }
        looked.formIntersection(anchors.keys)
        let times = timestamps(anchors)
        for (partition, anchor) in anchors where answers[partition] == nil {
            guard let time = anchor.timestamp ?? times[partition], time >= 0,
                let offset = ask([(partition, time)])[partition]
            else { continue }
            // A record that is behind its own time would say nothing.
            if offset <= anchor.offset { answers[partition] = (time, offset) }
        }
        let found = ask(answers.map { ($0.key, $0.value.time) })
        for (partition, anchor) in anchors where answers[partition] == nil {
            guard let marks = try? admin.watermarks(of: partition) else { continue }
            try suspect(partition, anchor, marks, isOdd: marks.high <= anchor.offset)
        }
        for (partition, answer) in answers {
            guard let now = found[partition] else { continue }
            guard now != answer.offset else {
                beyond[partition] = nil
                continue
            }
            guard let marks = try? admin.watermarks(of: partition) else { continue }
            // Retention has taken the record.
            if marks.low > answer.offset {
                answers[partition] = nil
                continue
            }
            try suspect(partition, anchors[partition], marks, isOdd: true)
        }
    }

    private func suspect(
        _ partition: TopicPartition, _ anchor: InputWatch.Anchor?, _ marks: Watermarks, isOdd: Bool
    ) throws(ImpactError) {
        beyond[partition] = isOdd ? (beyond[partition] ?? 0) + 1 : nil
        if beyond[partition] ?? 0 >= Self.looks {
            throw Self.madeAnew(partition, read: anchor?.offset ?? 0, marks)
        }
    }

    /// The times of the records before the committed offsets of which this process has read nothing yet: asked once each.
    private func timestamps(_ anchors: [TopicPartition: InputWatch.Anchor]) -> [TopicPartition: Int64] {
        let unknown = anchors.filter {
            $0.value.timestamp == nil && $0.value.offset >= 0 && looked.insert($0.key).inserted
        }
        if unknown.isEmpty { return [:] }
        guard
            let probe = try? RecordProbe(
                properties: configuration.kafkaProperties(client: "consumer"), topics: configuration.inputTopics,
                isStopped: { false })
        else { return [:] }
        defer { probe.close() }
        let found = (try? probe.first(at: unknown.mapValues(\.offset))) ?? [:]
        return found.filter { $0.value.offset == unknown[$0.key]?.offset }.mapValues(\.timestamp)
    }

    private func ask(_ questions: [(TopicPartition, Int64)]) -> [TopicPartition: Int64] {
        var answers: [TopicPartition: Int64] = [:]
        for (partition, time) in questions {
            if let answer = try? admin.offsets(atOrAfter: time, of: [partition])[partition] {
                answers[partition] = answer
            }
        }
        return answers
    }

    private func lookAtFolder() {
        let isThere = FileManager.default.fileExists(atPath: stateFile)
        if isThere { hasSaidFolder = false }
        guard !isThere, !hasSaidFolder else { return }
        hasSaidFolder = true
        Log.error(
            "state",
            "\(stateFile) is gone: somebody has deleted or unmounted state.dir under the running process. Nothing is lost, "
                + "the changelog has all state; but the next start restores from there, under a new name in the group. Stop "
                + "the process and give it its folder back")
    }

    private static func gone(_ topic: String) -> ImpactError {
        ImpactError(
            .failed, code: "input_gone",
            "input topic \(topic) does not exist any more: it was deleted while it was read. What was read is committed. "
                + "When it is made anew, its offsets mean other records: 'impactiq state align --to beginning' keeps the "
                + "users' state and reads the new topic; 'impactiq reset' begins anew with empty state")
    }

    /// What a worker says that gets an earlier record than the next one: librdkafka begins anew at an end that is not there.
    static func wentBack(_ partition: TopicPartition, read: Int64, to offset: Int64) -> ImpactError {
        ImpactError(
            .failed, code: "input_made_anew",
            "\(partition) was read up to offset \(read) and goes on at offset \(offset): it was deleted and made anew while it "
                + "was read, or lost its last records. 'impactiq state align --to beginning' keeps the users' state and reads "
                + "what is there now from its beginning; 'impactiq reset' begins anew with empty state")
    }

    private static func madeAnew(_ partition: TopicPartition, read: Int64, _ marks: Watermarks) -> ImpactError {
        ImpactError(
            .failed, code: "input_made_anew",
            "\(partition) was deleted and made anew while it was read: it was read up to offset \(read), and now holds other "
                + "records, offsets \(marks.low) to \(marks.high - 1). Events of the new topic may have been passed over. "
                + "'impactiq state align --to beginning' keeps the users' state and reads the new topic from its beginning; "
                + "'impactiq reset' begins anew with empty state")
    }
}
