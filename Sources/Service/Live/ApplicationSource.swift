import Base
import Kafka
import Pipeline
import Settings
import Sinks

/// The pipeline of this process as a service shows it.
package final class ApplicationSource: PipelineSource {
    private let application: Application
    private let logStore: LogStoreReader?

    package init(_ application: Application, logStore: LogStoreReader?) {
        self.application = application
        self.logStore = logStore
    }

    package var metrics: any Sendable { application.context.metrics }
    package var logStoreMetrics: (any Sendable)? { logStore?.counters }
    package var tap: LiveTap { application.context.live }
    package var partitions: Int { application.context.layout.inputPartitions }

    package var notReady: String? {
        if application.isStopping { return "the pipeline is stopping" }
        return tap.notReady
    }

    package func owner(of partition: Int32) -> PipelineOwner? {
        let configuration = application.context.configuration
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
