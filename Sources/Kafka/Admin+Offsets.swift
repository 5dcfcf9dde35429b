import Base
import CRdkafka
import Foundation

extension Admin {
    /// First and next offset of a partition, asked from its leader.
    package func watermarks(of partition: TopicPartition) throws(ImpactError) -> Watermarks {
        let work = "asking for the offsets of \(partition)"
        // A partition that was made a moment ago is known before its leader takes questions.
        var attempts = 50
        while true {
            do {
                return try askWatermarks(partition, doing: work)
            } catch {
                attempts -= 1
                guard error.isOfLeader, attempts > 0 else { throw failure(error, doing: work) }
            }
            // Asked the wrong broker, librdkafka 2.0.2 goes on asking it until its metadata expires, a quarter of an hour
            // later.
            refreshLeaders(of: partition.topic)
            if attempts < 49 { usleep(100_000) }
        }
    }

    private func askWatermarks(_ partition: TopicPartition, doing work: String) throws(KafkaError) -> Watermarks {
        var marks = Watermarks(low: 0, high: 0)
        try KafkaError.check(
            rd_kafka_query_watermark_offsets(
                handle.pointer, partition.topic, partition.partition, &marks.low, &marks.high, timeout),
            doing: work)
        return marks
    }

    /// Asks which brokers lead the topic's partitions, for the client's own use.
    private func refreshLeaders(of topic: String) {
        guard let handleOfTopic = rd_kafka_topic_new(handle.pointer, topic, nil) else { return }
        defer { rd_kafka_topic_destroy(handleOfTopic) }
        var found: UnsafePointer<rd_kafka_metadata>?
        // What goes wrong here shows in the question that follows.
        guard rd_kafka_metadata(handle.pointer, 0, handleOfTopic, &found, timeout) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return
        }
        rd_kafka_metadata_destroy(found)
    }

    /// The same for every partition of a topic, in the order of their numbers. Throws `kafka_topic` when there is none.
    package func watermarks(ofTopic topic: String) throws(ImpactError) -> [Watermarks] {
        guard let description = try describe(topic) else { throw Self.missing(topic) }
        var marks: [Watermarks] = []
        for partition in 0..<description.partitions {
            marks.append(try watermarks(of: TopicPartition(topic, Int32(partition))))
        }
        return marks
    }

    /// The first offset whose record's timestamp is at or after the time (milliseconds since 1970), a partition; the
    /// partition's end when all its records are older.
    package func offsets(
        atOrAfter time: Int64, of partitions: [TopicPartition]
    ) throws(ImpactError) -> [TopicPartition: Int64] {
        if partitions.isEmpty { return [:] }
        let work = "asking for the offsets at time \(time)"
        let list = TopicPartitionList(capacity: partitions.count)
        for partition in partitions { list.append(partition, offset: time) }
        do {
            try KafkaError.check(rd_kafka_offsets_for_times(handle.pointer, list.pointer, timeout), doing: work)
        } catch { throw failure(error, doing: work) }
        var offsets: [TopicPartition: Int64] = [:]
        for element in list.elements {
            if element.error != RD_KAFKA_RESP_ERR_NO_ERROR {
                throw failure(KafkaError(element.error), doing: "\(work) of \(element.partition)")
            }
            let isLogical = element.offset < 0  // "End": no record is that young.
            offsets[element.partition] =
                isLogical ? try watermarks(of: element.partition).high : element.offset
        }
        return offsets
    }

    /// The error for a topic that should be there.
    package static func missing(_ topic: String) -> ImpactError {
        ImpactError(
            .failed, code: "kafka_topic",
            "topic \(topic) does not exist. `impactiq topics create` makes the topics that the configuration names")
    }
}
