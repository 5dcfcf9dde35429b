import Base
import Consumer
import Kafka

/// Sends dead letters back to where they came from, each exactly once.
///
/// Which letters of each kind of error were sent (``SentLetters``) is committed in the transaction that sends them, as the
/// offsets of a consumer group a code (`<application.id>-dead-letter-replay.<code>`) and their metadata: a replay that was
/// killed neither doubles nor loses a letter, and replaying codes and ranges in any order, or all at last, sends each
/// letter once. A second replay that starts meanwhile takes the identity over and ends the first.
package final class DeadLetterReplayer {
    private let application: String
    private let producer: OutputProducer
    private let admin: Admin
    private let topic: String
    /// What was sent, by code and partition of the dead-letter topic; no entry before the code was asked for.
    private var letters: [String: [Int32: SentLetters]] = [:]
    /// What the open transaction changes.
    private var open: [String: Set<Int32>] = [:]
    private var openRecords = 0
    private var openBytes = 0
    /// Records sent and committed.
    package private(set) var sent = 0

    private static let maxRecords = 500
    private static let maxBytes = 8 << 20

    package init(properties: KafkaProperties, application: String, topic: String) throws(ImpactError) {
        self.application = application
        self.topic = topic
        var options = ProducerOptions(transactionalID: "\(application)-dead-letter-replay")
        options.clientID = "\(application)-dead-letter-replay"
        producer = try OutputProducer(properties: properties, options: options, component: "dead-letter")
        admin = try Admin(properties: properties, component: "dead-letter")
    }

    /// Takes the identity over: whatever a killed replay left open is aborted before its positions are read.
    package func start() { producer.start() }

    package func close() {
        producer.close()
        admin.close()
    }

    static func group(application: String, code: String) -> String { "\(application)-dead-letter-replay.\(code)" }

    /// Forgets what it knows, and asks anew with the next letter: before each reading of the topic.
    package func beginReading() { letters = [:] }

    /// Whether the letter was sent back already.
    package func isReplayed(_ letter: DeadLetter) throws(ImpactError) -> Bool {
        try sent(letter.reason.code)[letter.partition]?.contains(letter.offset) ?? false
    }

    /// The reading came to a letter that is not sent now: it was before, or it stays.
    package func pass(_ letter: DeadLetter, wasSent: Bool) throws(ImpactError) {
        try change(letter) { if wasSent { $0.meet(letter.offset) } else { $0.leave(letter.offset) } }
    }

    /// Counts a letter as sent, without sending it: for a plan.
    package func count(_ letter: DeadLetter) throws(ImpactError) { try change(letter) { $0.send(letter.offset) } }

    /// Whether what was sent cannot be written down, in the little room that an offset has.
    package var isTooScattered: Bool { longestMetadata > SentLetters.maxMetadata }

    private var longestMetadata: Int {
        letters.values.reduce(0) { max($0, $1.values.reduce(0) { max($0, $1.metadata.utf8.count) }) }
    }

    private func change(_ letter: DeadLetter, _ body: (inout SentLetters) -> Void) throws(ImpactError) {
        var all = try sent(letter.reason.code)
        body(&all[letter.partition, default: SentLetters()])
        letters[letter.reason.code] = all
    }

    private func sent(_ code: String) throws(ImpactError) -> [Int32: SentLetters] {
        if let known = letters[code] { return known }
        let group = Self.group(application: application, code: code)
        var sent: [Int32: SentLetters] = [:]
        for (partition, committed) in try admin.committed(ofGroup: group) where partition.topic == topic {
            guard let known = SentLetters(position: committed.offset, metadata: committed.metadata) else {
                throw ImpactError(
                    .failed, code: "dead_letter_replay_position",
                    "the offset of \(partition) that group \(group) committed bears a text that no replay has written. "
                        + "Delete the group to begin anew; letters that were sent back are then sent again")
            }
            sent[partition.partition] = known
        }
        letters[code] = sent
        return sent
    }

    /// Sends a letter; it is visible after the next commit, which full transactions make by themselves.
    package func send(_ letter: DeadLetter) throws(ImpactError) {
        if openRecords == 0 { try check(producer.begin(), wants: .ready) }
        let record = letter.record
        do {
            let target = try producer.topic(letter.reason.topic)
            try Self.withBytes(record.key) { (key) throws(KafkaError) in
                try Self.withBytes(record.value) { (value) throws(KafkaError) in
                    try producer.produce(
                        target, partition: letter.reason.partition, key: key, value: value, headers: record.headers,
                        timestamp: record.timestamp)
                }
            }
        } catch {
            throw Self.failure(error, letter)
        }
        try count(letter)
        open[letter.reason.code, default: []].insert(letter.partition)
        openRecords += 1
        openBytes += (record.key?.count ?? 0) + (record.value?.count ?? 0)
        if openRecords >= Self.maxRecords || openBytes >= Self.maxBytes { try commit() }
    }

    /// Makes what was sent visible, together with how far it goes.
    package func commit() throws(ImpactError) {
        if openRecords == 0 { return }
        var offsets: [String: [TopicPartition: CommittedOffset]] = [:]
        for (code, partitions) in open {
            let group = Self.group(application: application, code: code)
            for partition in partitions {
                guard let sent = letters[code]?[partition] else { continue }
                offsets[group, default: [:]][TopicPartition(topic, partition)] = CommittedOffset(
                    sent.position, metadata: sent.metadata)
            }
        }
        // On the way there may be one island more than before and after.
        if longestMetadata > SentLetters.maxMetadata + 50 { throw Self.tooScattered }
        try check(producer.commit(offsetsOfGroups: offsets), wants: .committed)
        sent += openRecords
        open = [:]
        openRecords = 0
        openBytes = 0
    }

    package static let tooScattered = ImpactError(
        .usage, code: "dead_letter_replay_scattered",
        "this selection leaves out letters in so many places that what was sent cannot be written down. Widen the range, "
            + "or give --skip to pass over for good what it leaves out")

    private func check(_ outcome: TransactionOutcome, wants: TransactionOutcome) throws(ImpactError) {
        if outcome == wants { return }
        switch outcome {
        case .fenced:
            throw ImpactError(
                .failed, code: "dead_letter_replay_taken_over",
                "another 'dead-letter replay' of \(application) has started and goes on in this one's place")
        case .aborted(let cause?), .reinitialised(let cause):
            throw cause.impactError(
                doing: "sending dead letters back",
                advice: "Nothing is lost or doubled: run the command again, it goes on after the last commit")
        default:
            throw ImpactError(
                .failed, code: "dead_letter_replay", "the transaction ended as \(outcome); run the command again")
        }
    }

    private static func failure(_ error: any Error, _ letter: DeadLetter) -> ImpactError {
        if let error = error as? ImpactError { return error }
        let work = "sending a dead letter back to \(letter.reason.topic) [\(letter.reason.partition)]"
        guard let error = error as? KafkaError else {
            return ImpactError(.failed, code: "dead_letter_replay", "\(work): \(error)")
        }
        return error.impactError(doing: work)
    }

    private static func withBytes(
        _ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws(KafkaError) -> Void
    ) throws(KafkaError) {
        guard let bytes else { return try body(nil) }
        let result = bytes.withUnsafeBytes { pointer in
            Result { () throws(KafkaError) in try body(pointer) }
        }
        try result.get()
    }
}
