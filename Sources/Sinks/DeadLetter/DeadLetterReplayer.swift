import Consumer
import Diagnostics
import Kafka

/// Sends dead letters back to where they came from, each exactly once.
///
/// How far each kind of error has been replayed is committed in the transaction that sends the records, as the offsets
/// of a consumer group a code (`<application.id>-dead-letter-replay.<code>`): a replay that was killed neither doubles nor
/// loses a letter, and replaying one code after another, or all at last, sends each letter once. A second replay that
/// starts meanwhile takes the identity over and ends the first.
public final class DeadLetterReplayer {
    private let application: String
    private let producer: OutputProducer
    private let admin: Admin
    private let topic: String
    /// Per code, the next offset of each partition of the dead-letter topic; nil before it was asked for.
    private var positions: [String: [TopicPartition: Int64]] = [:]
    private var open: [String: [TopicPartition: Int64]] = [:]
    private var openRecords = 0
    private var openBytes = 0
    /// Records sent and committed.
    public private(set) var sent = 0

    private static let maxRecords = 500
    private static let maxBytes = 8 << 20

    public init(properties: KafkaProperties, application: String, topic: String) throws(ImpactError) {
        self.application = application
        self.topic = topic
        var options = ProducerOptions(transactionalID: "\(application)-dead-letter-replay")
        options.clientID = "\(application)-dead-letter-replay"
        producer = try OutputProducer(properties: properties, options: options, component: "dead-letter")
        admin = try Admin(properties: properties, component: "dead-letter")
    }

    /// Takes the identity over: whatever a killed replay left open is aborted before its positions are read.
    public func start() { producer.start() }

    public func close() {
        producer.close()
        admin.close()
    }

    static func group(application: String, code: String) -> String { "\(application)-dead-letter-replay.\(code)" }

    /// Whether the letter was sent back already.
    public func isReplayed(_ letter: DeadLetter) throws(ImpactError) -> Bool {
        let code = letter.reason.code
        if positions[code] == nil {
            positions[code] = try admin.committedOffsets(ofGroup: Self.group(application: application, code: code))
        }
        return letter.offset < positions[code]?[TopicPartition(topic, letter.partition)] ?? 0
    }

    /// Sends a letter; it is visible after the next commit, which full transactions make by themselves.
    public func send(_ letter: DeadLetter) throws(ImpactError) {
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
        open[letter.reason.code, default: [:]][TopicPartition(topic, letter.partition)] = letter.offset + 1
        openRecords += 1
        openBytes += (record.key?.count ?? 0) + (record.value?.count ?? 0)
        if openRecords >= Self.maxRecords || openBytes >= Self.maxBytes { try commit() }
    }

    /// Makes what was sent visible, together with how far it goes.
    public func commit() throws(ImpactError) {
        if openRecords == 0 { return }
        let offsets = Dictionary(
            uniqueKeysWithValues: open.map { (Self.group(application: application, code: $0.key), $0.value) })
        try check(producer.commit(offsetsOfGroups: offsets), wants: .committed)
        for (code, offsets) in open { positions[code, default: [:]].merge(offsets) { $1 } }
        sent += openRecords
        open = [:]
        openRecords = 0
        openBytes = 0
    }

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
