import Base
import Consumer
import Foundation
import Kafka

/// Resolves what a person said to offsets, once, before anything is read.
package struct TopicRange {
    private let topic: String
    private let admin: Admin
    /// Committed records only: the end is the last stable offset.
    private let marks: [Watermarks]

    /// - Parameter admin: one that reads committed offsets, so that the end is what the pipeline could have read.
    /// - Throws: `kafka_topic` when the topic does not exist, `kafka_unreachable`.
    package init(topic: String, admin: Admin) throws(ImpactError) {
        self.topic = topic
        self.admin = admin
        marks = try admin.watermarks(ofTopic: topic)
    }

    package var partitions: Int { marks.count }

    /// The spans, one a partition that holds anything of the range, by number.
    ///
    /// - Parameter timeOfRecord: gives the timestamp of the first record at or after an offset; nil when there is none.
    /// - Throws: `range_retention` when records of the range are gone, `range_partition` for a partition that is not
    ///   there, `range_empty` when the range ends before it begins.
    package func spans(
        from: ReplayPoint, to: ReplayPoint, warmUp: WarmUp,
        timeOfRecord: (TopicPartition, Int64) throws(ImpactError) -> Int64?
    ) throws(ImpactError) -> [PartitionSpan] {
        let begins = try resolve(from, "--from")
        let ends = try resolve(to, "--to")
        var spans: [PartitionSpan] = []
        for partition in begins.keys.sorted() {
            guard let start = begins[partition], let end = ends[partition] else { continue }
            let place = TopicPartition(topic, partition)
            guard start <= end else {
                throw ImpactError(
                    .usage, code: "range_empty", "\(place): the range begins at offset \(start) and ends before \(end)")
            }
            if case .time(let time) = from {
                try checkRetention(place, time: time, timeOfRecord: timeOfRecord)
            }
            let first = try warm(place, start, warmUp, timeOfRecord)
            spans.append(PartitionSpan(partition: partition, first: first, from: start, end: end))
        }
        return spans
    }

    /// Partitions whose first records are gone: a replay from the beginning starts there without what came before.
    package var truncated: [Int32] { marks.indices.filter { marks[$0].low > 0 }.map { Int32($0) } }

    private func resolve(_ point: ReplayPoint, _ option: String) throws(ImpactError) -> [Int32: Int64] {
        switch point {
        case .beginning: return all { $0.low }
        case .end: return all { $0.high }
        case .time(let time):
            let partitions = marks.indices.map { TopicPartition(topic, Int32($0)) }
            let found = try admin.offsets(atOrAfter: time, of: partitions)
            var offsets: [Int32: Int64] = [:]
            for partition in partitions {
                let marks = marks[Int(partition.partition)]
                // The broker may know of records behind the last stable offset, which nobody may read yet.
                offsets[partition.partition] = min(marks.high, max(marks.low, found[partition] ?? marks.high))
            }
            return offsets
        case .offsets(let offsets):
            for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
                try check(TopicPartition(topic, partition), offset, option)
            }
            return offsets
        }
    }

    private func all(_ offset: (Watermarks) -> Int64) -> [Int32: Int64] {
        Dictionary(uniqueKeysWithValues: marks.enumerated().map { (Int32($0), offset($1)) })
    }

    private func check(_ place: TopicPartition, _ offset: Int64, _ option: String) throws(ImpactError) {
        guard Int(place.partition) < marks.count else {
            throw ImpactError(
                .badInput, code: "range_partition",
                "\(option) names partition \(place.partition); topic \(topic) has partitions 0 to \(marks.count - 1)")
        }
        let marks = marks[Int(place.partition)]
        guard offset >= marks.low else {
            throw ImpactError(
                .badInput, code: "range_retention",
                "\(option) \(place.partition):\(offset): retention has removed \(place) up to offset \(marks.low - 1); "
                    + "begin at \(marks.low) or at 'beginning'")
        }
        guard offset <= marks.high else {
            throw ImpactError(
                .badInput, code: "range_beyond_end",
                "\(option) \(place.partition):\(offset): \(place) ends at offset \(marks.high); "
                    + "was the topic deleted and made anew?")
        }
    }

    /// A time before the first record that is left means that records of the range may be gone.
    private func checkRetention(
        _ place: TopicPartition, time: Int64, timeOfRecord: (TopicPartition, Int64) throws(ImpactError) -> Int64?
    ) throws(ImpactError) {
        let marks = marks[Int(place.partition)]
        guard marks.low > 0, marks.high > marks.low, let oldest = try timeOfRecord(place, marks.low) else { return }
        guard oldest > time else { return }
        let iso = Date(timeIntervalSince1970: Double(oldest) / 1_000).formatted(.iso8601)
        throw ImpactError(
            .badInput, code: "range_retention",
            "--from: the oldest record that \(place) still holds (offset \(marks.low)) is of \(iso); what came before is "
                + "gone, and the range with it. Begin then or later, or say 'beginning' to start with what is there")
    }

    private func warm(
        _ place: TopicPartition, _ start: Int64, _ warmUp: WarmUp,
        _ timeOfRecord: (TopicPartition, Int64) throws(ImpactError) -> Int64?
    ) throws(ImpactError) -> Int64 {
        let low = marks[Int(place.partition)].low
        switch warmUp {
        case .none: return start
        case .all: return low
        case .milliseconds(let span):
            guard start > low, let time = try timeOfRecord(place, start) else { return start }
            let found = try admin.offsets(atOrAfter: max(0, time - span), of: [place])
            return min(start, max(low, found[place] ?? start))
        }
    }
}
