import Base
import CBench
import Consumer
import Foundation
import Kafka
import Terminal

/// `impactiq-bench raw`: the C loop alone over a topic, with its processor time; `scripts/bench-cpu.py` reads it.
enum RawLoop {
    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "raw", "The raw C consume loop alone: messages, seconds, and seconds of processor time",
            options: Benchmark.brokerOptions + [
                .value("topic", "NAME", "The topic to read", required: true),
                .value("partitions", "N", "Its partitions", default: "4"),
                .value("events", "N", "How many messages to read at most", default: "1M"),
                .value("duration", "DURATION", "How long to read at most", default: "60s"),
            ],
            examples: [.init("raw --bootstrap localhost:9092 --topic events", "what reading alone costs")])
        guard let command = try Benchmark.parse(specification, words) else { return }
        var options = ConsumerOptions()
        options.fetchWaitMilliseconds = 10
        let properties = try Benchmark.properties(command)
        let result = try consume(
            options.properties(properties), topic: command.text("topic") ?? "",
            partitions: try command.count("partitions") ?? 4, events: try command.count("events") ?? 0,
            seconds: Double(try command.milliseconds("duration") ?? 60_000) / 1_000)
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let busy =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        Terminal.Stream.output.write("\(result.messages) \(result.seconds) \(busy)\n")
    }

    /// Reads a topic from its beginning.
    static func consume(
        _ properties: KafkaProperties, topic: String, partitions: Int, events: Int, seconds: Double
    ) throws(ImpactError) -> cbench_result {
        let settings = properties.entries
        let keys = settings.map { strdup($0.key) }, values = settings.map { strdup($0.value) }
        defer { for text in keys + values { free(text) } }
        let result = keys.map { UnsafePointer($0) }.withUnsafeBufferPointer { keys in
            values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                cbench_consume(
                    properties["bootstrap.servers"] ?? "", topic, Int32(partitions), Int64(events), keys.baseAddress,
                    values.baseAddress, settings.count, seconds)
            }
        }
        guard result.messages > 0, result.seconds > 0 else {
            throw ImpactError(.failed, code: "bench", "the C loop read \(result.messages) of \(events) messages")
        }
        return result
    }
}
