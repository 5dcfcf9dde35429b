import Diagnostics
import Events
import Kafka
import Scoring
import Synchronization

/// What all workers of a process share: nothing that changes but the stop flag and the metrics.
public final class WorkerContext: Sendable {
    public let configuration: Configuration
    public let model: Model
    /// Names this process towards Kafka; see ``ProcessIdentity``.
    let identity: ProcessIdentity
    let layout: TopicLayout
    /// What each worker is handling, for the next start; nil without poison protection.
    let poison: PoisonNotes?
    public let metrics: PipelineMetrics
    private let isStopping = Atomic<Bool>(false)

    init(
        configuration: Configuration, model: Model, identity: ProcessIdentity, layout: TopicLayout,
        metrics: PipelineMetrics
    ) {
        self.configuration = configuration
        self.model = model
        self.identity = identity
        self.layout = layout
        poison = PoisonNotes.ofProcess(configuration, identity)
        self.metrics = metrics
    }

    var isStopRequested: Bool { isStopping.load(ordering: .acquiring) }
    func requestStop() { isStopping.store(true, ordering: .releasing) }

    /// The group knows a process again by this name: one that was killed and starts again gets its partitions back at
    /// once, where a new member would wait for the old one's session to end.
    var instanceName: String? {
        switch configuration.groupInstanceID {
        case "", "none": nil
        case "auto": identity.name
        case let name: name
        }
    }

    func properties(client: String) -> KafkaProperties {
        configuration.kafkaProperties(client: client)
    }

    func processorSettings() throws(ImpactError) -> Processor.Settings {
        try configuration.processorSettings()
    }
}

extension Configuration {
    /// The properties of a Kafka client of this configuration.
    /// - Parameter client: `consumer` or `producer`.
    public func kafkaProperties(client: String) -> KafkaProperties {
        var properties: KafkaProperties = ["bootstrap.servers": bootstrapServers]
        for (key, value) in passThrough(client: client) { properties[key] = value }
        return properties
    }

    /// What decides how events become scores.
    public func processorSettings() throws(ImpactError) -> Processor.Settings {
        var settings = Processor.Settings()
        settings.limits.maxMessageBytes = messageMaxBytes
        settings.limits.maxAheadMilliseconds = eventTimeMaxAheadMilliseconds
        settings.limits.requiresKey = !acceptsAnyKey
        settings.scoreEvents = scoreEvents
        settings.level = try ConfidenceLevel(confidenceLevel)
        settings.threshold = decisionThreshold
        settings.topics = inputTopics
        settings.capacity = batchMaxEvents
        return settings
    }
}
