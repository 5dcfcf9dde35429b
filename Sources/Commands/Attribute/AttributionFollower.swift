import AttributionStore
import Base
import Consumer
import Foundation
import Kafka
import Pipeline
import Settings
import Terminal

/// Reads the event topic, and scores where they are asked for, from where the database stands, a bounded piece at a time.
///
/// A piece is read and in memory before the database hears of it: a broker that goes away leaves no transaction open, and the
/// database is locked only while it is written.
final class AttributionFollower {
    /// Records and bytes of one piece at the most.
    private static let pieceRecords = 1_000_000
    private static let pieceBytes = 128 << 20

    private struct Source {
        var topic: String
        var reader: BoundedReader
        var isOfScores: Bool
    }

    private let sources: [Source]
    private let admin: Admin
    private let open: (_ again: Bool) throws(ImpactError) -> FollowedEvents
    private var events: FollowedEvents?
    private var wasOpen = false
    /// Records of the piece at hand.
    private var piece = 0
    private var read = 0
    private var conversions = 0

    /// - Parameters:
    ///   - withScores: whether the pipeline's scores are read too.
    ///   - open: opens the database; `again` when it was open before, and must be there.
    init(
        _ configuration: Configuration, withScores: Bool,
        open: @escaping (_ again: Bool) throws(ImpactError) -> FollowedEvents
    ) throws(ImpactError) {
        guard configuration.inputTopics.count == 1, let topic = configuration.inputTopics.first else {
            throw ImpactError(.badConfiguration, code: "several_inputs", "input.topics must name one topic")
        }
        self.open = open
        let properties = configuration.kafkaProperties(client: "consumer")
        admin = try Admin(properties: properties, readCommitted: true)
        var options = ConsumerOptions()
        options.clientID = "impactiq-attribution"
        options.isolation = .readCommitted
        options.reset = .error
        options.fetchWaitMilliseconds = 20
        var sources: [Source] = []
        // Scores first: the events that they were made of are then read no later than they.
        for (topic, isOfScores) in (withScores ? [(configuration.outputTopic, true)] : []) + [(topic, false)] {
            let reader = try BoundedReader(
                topic: topic, properties: properties, options: options, component: "attribution")
            sources.append(Source(topic: topic, reader: reader, isOfScores: isOfScores))
        }
        self.sources = sources
    }

    func close() {
        for source in sources { source.reader.close() }
        admin.close()
    }

    /// What was done so far, in words.
    var said: String { "\(read) records, \(conversions) conversions attributed" }

    /// Opens the database anew with the next step: what is known of it may be wrong.
    func forgetDatabase() { events = nil }

    /// Reads and attributes what has come, up to a bound.
    ///
    /// - Returns: whether more waits already.
    func step() throws -> Bool {
        let events = try opened()
        piece = 0
        var (from, next): (FollowedEvents.Positions, FollowedEvents.Positions) = ([:], [:])
        var hasMore = false
        for source in sources {
            let ranges = try ranges(source, events)
            guard !ranges.isEmpty else { continue }
            hasMore = try !fill(source, ranges, events) || hasMore
            if StopSignal.isRaised { return false }
            from[source.topic] = ranges.mapValues(\.lowerBound)
            for partition in ranges.keys {
                next[source.topic, default: [:]][partition] = source.reader.position(partition)
            }
        }
        guard from != next else { return hasMore }
        try store(events, from, next)
        return hasMore
    }

    private func opened() throws(ImpactError) -> FollowedEvents {
        if let events {
            // What a step that did not end has left is read again.
            events.forget()
            return events
        }
        let opened = try open(wasOpen)
        wasOpen = true
        if let outcome = try opened.settle() {
            Log.info("attribution", "other settings: \(outcome.attributed) conversions attributed anew")
        }
        events = opened
        return opened
    }

    private func store(
        _ events: FollowedEvents, _ from: FollowedEvents.Positions, _ next: FollowedEvents.Positions
    ) throws {
        try events.begin(from: from)
        do {
            let outcome = try events.end(sources.last { !$0.isOfScores }?.topic ?? "", next)
            read += piece
            conversions += outcome.attributed
            Log.info(
                "attribution",
                "\(said); \(outcome.changed) channels and days changed" + Self.odd(events.counts))
        } catch {
            events.rollback()
            throw error
        }
    }

    private static func odd(_ counts: RawEvents.Counts) -> String {
        counts.notes.isEmpty ? "" : "; " + counts.notes.joined(separator: ", ")
    }

    /// What waits in a topic.
    private func ranges(_ source: Source, _ events: FollowedEvents) throws(ImpactError) -> [Int32: Range<Int64>] {
        var ranges: [Int32: Range<Int64>] = [:]
        for (number, marks) in try admin.watermarks(ofTopic: source.topic).enumerated() {
            let known = try events.position(source.topic, Int32(number))
            if let known, known < marks.low || known > marks.high { try refuse(source.topic, number, known, marks) }
            let next = known ?? marks.low
            if next < marks.high { ranges[Int32(number)] = next..<marks.high }
        }
        return ranges
    }

    /// Reads into the piece until the ranges are read or it is full.
    ///
    /// - Returns: whether the ranges are read.
    private func fill(
        _ source: Source, _ ranges: [Int32: Range<Int64>], _ events: FollowedEvents
    ) throws -> Bool {
        let most = piece + Self.pieceRecords / sources.count
        try source.reader.begin(ranges)
        var asked = ContinuousClock.now
        while !source.reader.isDone {
            do {
                let left = min(8_192, most - piece)
                guard left > 0, events.bytes < Self.pieceBytes else { return false }
                let before = piece
                _ = try source.reader.step(max: left) { message in
                    piece += 1
                    guard let value = message.payloadBuffer else { return }
                    if source.isOfScores { return events.addScore(value) }
                    let (partition, offset) = (message.partition, message.offset)
                    events.add(value, place: "\(source.topic)/\(partition)/\(offset)")
                }
                if piece > before { asked = .now }
            } catch let error as KafkaError {
                // The library goes on by itself after what passes.
                guard error.isRetriable, !error.isFatal else {
                    throw error.impactError(doing: "reading \(source.topic)")
                }
            }
            if StopSignal.isRaised { return true }
            // What came so far is attributed; the rest waits for the next step.
            let isSlow = ContinuousClock.now - asked > .seconds(10)
            if isSlow, ranges.contains(where: { source.reader.position($0.key) > $0.value.lowerBound }) { return false }
            if ContinuousClock.now - asked > .seconds(30) {
                throw ImpactError(
                    .failed, code: "kafka_unreachable",
                    "\(source.topic): nothing came for 30 s although records wait")
            }
        }
        return true
    }

    private func refuse(_ topic: String, _ number: Int, _ known: Int64, _ marks: Watermarks) throws(ImpactError) {
        throw ImpactError(
            .badInput, code: "range_retention",
            known > marks.high
                ? "\(topic) [\(number)] ends at offset \(marks.high), but was read to \(known): was it deleted and made "
                    + "anew? Begin with another --out"
                : "\(topic) [\(number)]: retention has removed the records from offset \(known) to \(marks.low - 1), "
                    + "which were not attributed yet. Begin with another --out")
    }
}
