import Base
import Consumer
import JSON
import Kafka
import Sinks

/// Records of one changelog partition that nobody can read: damaged, forged, or another program's; and those that nobody can
/// believe (``DisbelievedRecords``).
///
/// ```
///  restoring ── unreadable ─► set aside ── a later good record or tombstone of the user ─► forgotten
///                                │ the partition's end
///                                ▼
///  next commit: dead letter and tombstone of the user, in one transaction ─► quarantined
/// ```
/// The tombstone makes the quarantine final: the next start no longer sees the record, so there is one letter.
package struct UnreadableRecords {
    package struct Record: Equatable {
        package var user: [UInt8]
        package var value: [UInt8]
        package var offset: Int64
        package var timestamp: Int64
        package var headers: [RecordHeader]
        /// Why it cannot be read.
        package var reason: String

        package init(
            user: [UInt8], value: [UInt8], offset: Int64, timestamp: Int64 = -1, headers: [RecordHeader] = [],
            reason: String
        ) {
            self.user = user
            self.value = value
            self.offset = offset
            self.timestamp = timestamp
            self.headers = headers
            self.reason = reason
        }
    }

    /// The last unreadable record of each user who has no good one behind it.
    private var byUser: [[UInt8]: Record] = [:]
    /// Bytes that they hold.
    private var bytes = 0

    /// Records are kept until the partition's end tells whether they heal; memory bounds that, 64 MiB or 64 KiB for each that
    /// the limit allows.
    package static func mostBytes(limit: Int) -> Int { max(64 << 20, limit << 16) }

    /// The dead letter's code.
    package static var code: String { InputErrorCode.unreadableState.name }

    package init() {}

    package var isEmpty: Bool { byUser.isEmpty }
    package var count: Int { byUser.count }
    package func isTooMuchToHold(limit: Int) -> Bool { bytes > Self.mostBytes(limit: limit) }

    /// In the order of the changelog.
    package var records: [Record] { byUser.values.sorted { $0.offset < $1.offset } }

    package mutating func add(_ record: Record) {
        heal(record.user)
        byUser[record.user] = record
        bytes += record.value.count + record.user.count
    }

    /// A later record of the user tells the state: the unreadable one does not matter any more.
    package mutating func heal(_ user: UnsafeRawBufferPointer) {
        if !byUser.isEmpty { heal(Array(user)) }
    }

    private mutating func heal(_ user: [UInt8]) {
        guard let record = byUser.removeValue(forKey: user) else { return }
        bytes -= record.value.count + record.user.count
    }

    package mutating func removeAll() {
        byUser.removeAll()
        bytes = 0
    }

    /// Why a start refuses more of them than `state.changelog.max.unreadable`.
    static func refusal(_ topic: TopicPartition, _ unreadable: UnreadableRecords, limit: Int) -> ImpactError {
        let first = unreadable.records.first
        let count = unreadable.isTooMuchToHold(limit: limit) ? "more than \(unreadable.count)" : "\(unreadable.count)"
        return ImpactError(
            .badInput, code: "state_changelog_unreadable",
            "\(topic): the last records of \(count) users cannot be read or believed, the first at offset \(first?.offset ?? -1): "
                + "\(first?.reason ?? "")\n"
                + "state.changelog.max.unreadable=\(limit) allows \(limit == 0 ? "none" : "\(limit)"); nothing was "
                + "changed. Was the state kept for other features, or by a newer version? Then run that, or a second "
                + "application.id (docs/state.md). Else a larger number sets these records aside as dead letters, and their users "
                + "begin anew; 'impactiq reset' forgets every user's features")
    }
}

extension DeadLetterWriter {
    /// Writes the records set aside of one changelog partition.
    func write(_ unreadable: UnreadableRecords, of changelog: TopicPartition) throws(KafkaError) {
        for record in unreadable.records {
            try write(
                DeadLetterEnvelope(
                    key: record.user, value: record.value, headers: record.headers, timestamp: record.timestamp),
                reason: DeadLetterReason(
                    code: UnreadableRecords.code, message: record.reason, topic: changelog.topic,
                    partition: changelog.partition, offset: record.offset))
        }
    }
}
