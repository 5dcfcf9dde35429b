import Attribution
import AttributionStore
import Base
import Consumer
import Foundation
import Kafka
import Pipeline
import Settings
import Terminal

/// Reads the event topic from where the database stands, a bounded piece at a time.
final class AttributionFollower {
    private let topic: String
    private let reader: BoundedReader
    private let admin: Admin
    private let events: FollowedEvents
    /// Milliseconds of silence that end a session.
    var sessionTimeout: Int64 = 1_800_000
    /// Events of one transaction at the most.
    private static let piece: Int64 = 200_000
    private var conversions = 0

    init(_ configuration: Configuration, _ events: FollowedEvents) throws(ImpactError) {
        guard configuration.inputTopics.count == 1, let topic = configuration.inputTopics.first else {
            throw ImpactError(.badConfiguration, code: "several_inputs", "input.topics must name one topic")
        }
        self.topic = topic
        self.events = events
        let properties = configuration.kafkaProperties(client: "consumer")
        admin = try Admin(properties: properties, readCommitted: true)
        var options = ConsumerOptions()
        options.clientID = "impactiq-attribution"
        options.isolation = .readCommitted
        options.reset = .error
        options.fetchWaitMilliseconds = 20
        reader = try BoundedReader(topic: topic, properties: properties, options: options, component: "attribution")
    }

    func close() {
        reader.close()
        admin.close()
    }

    /// What was done so far, in words.
    var said: String { "\(events.counts.events) events, \(conversions) conversions attributed" }

    /// Reads and attributes what has come, up to a bound.
    ///
    /// - Returns: whether more waits already.
    func step() throws -> Bool {
        var ranges: [Int32: Range<Int64>] = [:]
        var left = Self.piece, hasMore = false
        for (number, marks) in try admin.watermarks(ofTopic: topic).enumerated() {
            let known = try events.position(topic, Int32(number))
            if let known, known < marks.low || known > marks.high { try refuse(number, known, marks) }
            let next = known ?? marks.low
            let end = min(marks.high, next + left)
            hasMore = hasMore || end < marks.high
            left -= end - next
            if next < end { ranges[Int32(number)] = next..<end }
        }
        guard !ranges.isEmpty else { return false }
        try events.begin()
        do {
            try reader.begin(ranges)
            var asked = ContinuousClock.now
            while try read(&asked) {
                if StopSignal.isRaised {
                    events.rollback()
                    return false
                }
                guard ContinuousClock.now - asked < .seconds(30) else {
                    throw ImpactError(
                        .failed, code: "kafka_unreachable", "\(topic): nothing came for 30 s although records wait")
                }
            }
            let outcome = try events.end(topic, ranges.mapValues(\.upperBound), timeout: sessionTimeout)
            conversions += outcome.attributed
            let total = outcome.report.total
            Log.info(
                "attribution",
                "\(said); credit \(total.credit.formatted(.number.precision(.fractionLength(0)))) conversions, "
                    + "cost \(total.cost.amount.formatted(.number.precision(.fractionLength(2))))")
        } catch {
            events.rollback()
            throw error
        }
        return hasMore
    }

    /// Reads some records. The library goes on by itself after what passes.
    private func read(_ asked: inout ContinuousClock.Instant) throws -> Bool {
        do {
            return try reader.step { message in
                if let value = message.payloadBuffer {
                    try events.add(value, place: "\(topic)/\(message.partition)/\(message.offset)")
                }
                asked = .now
            }
        } catch let error as KafkaError {
            guard error.isRetriable, !error.isFatal else { throw error.impactError(doing: "reading \(topic)") }
            return true
        }
    }

    private func refuse(_ number: Int, _ known: Int64, _ marks: Watermarks) throws(ImpactError) {
        throw ImpactError(
            .badInput, code: "range_retention",
            known > marks.high
                ? "\(topic) [\(number)] ends at offset \(marks.high), but was read to \(known): was it deleted and made "
                    + "anew? Begin with another --out"
                : "\(topic) [\(number)]: retention has removed the records from offset \(known) to \(marks.low - 1), "
                    + "which were not attributed yet. Begin with another --out")
    }
}
