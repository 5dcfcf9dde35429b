import Base
import CRdkafka
import Foundation

/// Asks the broker about topics, offsets and groups, and changes them. For set-up, checks, replay and tests: each call
/// blocks for at most `timeoutMilliseconds` and throws an error that says what to do.
///
/// Its client is a consumer that joins no group, so that asking about a topic never creates it.
package final class Admin: Sendable {
    package let handle: KafkaHandle
    package let timeoutMilliseconds: Int

    /// - Parameter readCommitted: whether ``watermarks(of:)`` and ``offsets(atOrAfter:of:)`` end at the last stable
    ///   offset (before the first open transaction) rather than at the log's end.
    package init(
        properties: KafkaProperties, readCommitted: Bool = false, timeoutMilliseconds: Int = 10_000,
        component: String = "admin"
    ) throws(ImpactError) {
        var properties = properties
        properties["isolation.level"] = readCommitted ? "read_committed" : "read_uncommitted"
        properties["allow.auto.create.topics"] = "false"
        // Never joined. Without one, 2.0.2 follows a null pointer when a group's coordinator has moved (librdkafka #5040).
        properties["group.id"] = "impactiq-admin"
        handle = try KafkaHandle(.consumer, properties: properties, component: component)
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// Destroys the client; the deinitialiser does the same.
    package func close() { handle.close() }

    package var timeout: Int32 { Int32(timeoutMilliseconds) }

    /// What a failed call becomes: a broker that is not there, a right that is missing, or what the broker said.
    package func failure(_ error: KafkaError, doing work: String) -> ImpactError {
        switch error.code {
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
            RD_KAFKA_RESP_ERR__RESOLVE:
            return ImpactError(
                .failed, code: "kafka_unreachable",
                "\(work): no answer from a broker at \(handle.bootstrap) within \(timeoutMilliseconds) ms. "
                    + (handle.connectionProblem.map { "The last thing heard: \($0). " } ?? "")
                    + "Is it running, and are bootstrap.servers and the security settings under kafka.* right?")
        case _ where error.isAuthorization:
            return error.impactError(
                doing: work, advice: "The broker refuses it: check the credentials under kafka.* and the ACLs")
        default:
            return error.impactError(doing: work)
        }
    }

    /// Whether an error means that brokers are away or a partition's leader is moving: it passes without our doing.
    package static func isOfBrokers(_ error: ImpactError) -> Bool {
        [
            "kafka_unreachable", "kafka_not_leader_for_partition", "kafka_leader_not_available",
            "kafka_fenced_leader_epoch", "kafka_unknown_leader_epoch", "kafka_offset_not_available",
            "kafka_broker_not_available", "kafka_replica_not_available",
        ].contains(error.code)
    }

    /// Repeats a question to a group's coordinator until the coordinator is there: it moves, and on a new cluster the
    /// first question makes it.
    package func untilCoordinated<Value>(
        doing work: String, _ ask: () throws(ImpactError) -> Result<Value, KafkaError>
    ) throws(ImpactError) -> Value {
        let deadline = DispatchTime.now() + .milliseconds(timeoutMilliseconds)
        while true {
            let problem: ImpactError
            do throws(ImpactError) {
                switch try ask() {
                case .success(let value): return value
                case .failure(let error): problem = failure(error, doing: work)
                }
            } catch {
                problem = error
            }
            let passes = [
                "kafka_not_coordinator", "kafka_coordinator_not_available", "kafka_coordinator_load_in_progress",
            ]
            guard passes.contains(problem.code), DispatchTime.now() < deadline else { throw problem }
            usleep(100_000)
        }
    }

    /// Runs one request of librdkafka's admin API and hands its result event to `read`.
    ///
    /// - Parameter send: gets client, options and reply queue, and calls the request's function.
    package func request<Result>(
        _ operation: rd_kafka_admin_op_t, doing work: String,
        send: (OpaquePointer, OpaquePointer?, OpaquePointer?) -> Void, read: (OpaquePointer) -> Result
    ) throws(ImpactError) -> Result {
        let client = handle.pointer
        let options = rd_kafka_AdminOptions_new(client, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        var reason = [CChar](repeating: 0, count: 256)
        rd_kafka_AdminOptions_set_request_timeout(options, timeout, &reason, reason.count)
        let queue = rd_kafka_queue_new(client)
        defer { rd_kafka_queue_destroy(queue) }
        send(client, options, queue)
        // The library answers by its own deadline; a little more covers its reply.
        guard let event = rd_kafka_queue_poll(queue, timeout + 2_000) else {
            throw failure(KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT), doing: work)
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = rd_kafka_event_error_string(event).map { String(cString: $0) }
            throw failure(KafkaError(code, text), doing: work)
        }
        return read(event)
    }
}
