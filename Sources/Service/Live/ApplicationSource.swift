import Base
import Kafka
import Pipeline
import Settings
import Sinks
import Synchronization

/// The pipeline of this process as a service shows it, from before it has asked a broker anything.
package final class ApplicationSource: PipelineSource {
    private let prepared: Preparation
    private let logStore: LogStoreReader?
    /// Nil while the broker is waited for.
    private let application = Mutex<Application?>(nil)

    package init(_ prepared: Preparation, logStore: LogStoreReader?) {
        self.prepared = prepared
        self.logStore = logStore
    }

    /// The application is there: the broker has answered.
    package func attach(_ application: Application) { self.application.withLock { $0 = application } }

    package var metrics: any Sendable { prepared.metrics }
    package var logStoreMetrics: (any Sendable)? { logStore?.counters }
    package var tap: LiveTap { prepared.live }
    package var partitions: Int { application.withLock { $0?.context.layout.inputPartitions } ?? 0 }

    package var notReady: String? {
        if application.withLock({ $0?.isStopping }) ?? false { return "the pipeline is stopping" }
        return tap.notReady
    }

    package func owner(of partition: Int32) -> PipelineOwner? {
        let configuration = prepared.configuration
        guard let admin = try? Admin(properties: configuration.kafkaProperties(client: "consumer")) else { return nil }
        defer { admin.close() }
        let topic = configuration.inputTopics.first ?? ""
        let members = (try? admin.members(ofGroup: configuration.applicationID)) ?? []
        guard let member = members.first(where: { $0.assignment.contains(TopicPartition(topic, partition)) }) else {
            return nil
        }
        return PipelineOwner(clientID: member.clientID, host: member.host, instance: member.instanceID)
    }
}
