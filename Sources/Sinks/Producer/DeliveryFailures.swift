import CRdkafka
import Kafka

/// The records that the library gave up, as a pure value.
struct DeliveryFailures {
    /// Since the producer was made.
    private(set) var total = 0
    /// Since the last transaction or flush ended.
    private(set) var open = 0
    /// Why the last one was given up.
    private(set) var last: KafkaError?
    /// Topics whose record the broker refused as too large, until somebody asks.
    private var refusedAsTooLarge: Set<Int> = []

    var isEmpty: Bool { open == 0 }

    mutating func add(_ code: rd_kafka_resp_err_t, topic: Int?, name: String) {
        // Records purged by an abort were meant to go.
        if code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT { return }
        if code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, let topic { refusedAsTooLarge.insert(topic) }
        total += 1
        open += 1
        last = KafkaError(code, "writing to \(name): \(String(cString: rd_kafka_err2str(code)))")
    }

    /// The reason of the flush that failed, once.
    mutating func take() -> KafkaError? {
        if isEmpty { return nil }
        defer {
            open = 0
            last = nil
        }
        return last ?? KafkaError(RD_KAFKA_RESP_ERR__FAIL)
    }

    /// A step of a transaction has ended.
    ///
    /// - Parameter isCommitted: then the last reason is kept, for whoever asks why a record was given up before.
    mutating func endStep(isCommitted: Bool) {
        if !isCommitted { last = nil }
        open = 0
    }

    mutating func takeRefusedAsTooLarge(_ topic: Int) -> Bool { refusedAsTooLarge.remove(topic) != nil }
}
