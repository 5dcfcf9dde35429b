import Base
import CRdkafka
import Synchronization

/// librdkafka's mock of a Kafka cluster: the real protocol over TCP, in this process, without Java. For the demo and for
/// tests that inject faults.
///
/// It knows no read_committed, no transactional offsets, no fencing and no offsets for times, and keeps 5 MiB or 100,000
/// batches a partition: what runs on it is at least once at best. A group's first join takes 3 s.
/// `@unchecked Sendable`: the mock's own thread serialises every call.
package final class MockCluster: @unchecked Sendable {
    /// `host:port` of every broker, for `bootstrap.servers`.
    package let bootstrap: String
    private let handle: KafkaHandle
    private let cluster: OpaquePointer

    /// - Parameter brokers: their count; their ids are 1, 2, ….
    package init(brokers: Int = 1) throws(ImpactError) {
        // The client only owns the mock; its own address leads nowhere, and it is asked nothing.
        handle = try KafkaHandle(
            .producer, properties: ["bootstrap.servers": "127.0.0.1:1", "log_level": "0"], component: "mock-cluster")
        handle.context.isMute.store(true, ordering: .relaxed)
        guard let cluster = rd_kafka_mock_cluster_new(handle.pointer, Int32(brokers)) else {
            throw ImpactError(.failed, code: "mock_cluster", "librdkafka's mock cluster does not start")
        }
        self.cluster = cluster
        bootstrap = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        handle.close()
    }

    /// Creates a topic; the mock takes no request for it from a client.
    package func create(topic: String, partitions: Int) throws(ImpactError) {
        let code = rd_kafka_mock_topic_create(cluster, topic, Int32(partitions), 1)
        if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
        throw KafkaError(code).impactError(doing: "creating topic \(topic) on the mock cluster")
    }

    /// Requests by their number in the protocol.
    package enum Request: Int16, Sendable {
        case produce = 0
        case fetch = 1
        case listOffsets = 2
        case metadata = 3
        case offsetCommit = 8
        case offsetFetch = 9
        case findCoordinator = 10
        case joinGroup = 11
        case heartbeat = 12
        case initProducerID = 22
        case addPartitionsToTransaction = 24
        case addOffsetsToTransaction = 25
        case endTransaction = 26
        case transactionOffsetCommit = 28
    }

    /// The next requests of a kind are answered with these errors, one each.
    package func push(_ errors: [rd_kafka_resp_err_t], on request: Request) {
        var errors = errors
        rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, errors.count, &errors)
    }

    /// Takes a broker away (its connections break, new ones are refused) or brings it back.
    package func setBroker(_ id: Int32 = 1, isUp: Bool) {
        _ = isUp ? rd_kafka_mock_broker_set_up(cluster, id) : rd_kafka_mock_broker_set_down(cluster, id)
    }

    /// Delays every answer of a broker.
    package func setRoundTrip(_ id: Int32 = 1, milliseconds: Int32) {
        rd_kafka_mock_broker_set_rtt(cluster, id, milliseconds)
    }
}
