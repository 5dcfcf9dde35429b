import Base
import Engine
import Events
import Kafka
import Scoring
import Settings
import Sinks
import Synchronization

/// What all workers of a process share: nothing that changes but the stop flag and the metrics.
package final class WorkerContext: Sendable {
    package let configuration: Configuration
    package let model: Model
    /// Names this process towards Kafka; see ``ProcessIdentity``.
    let identity: ProcessIdentity
    package let layout: TopicLayout
    /// The local copy of the state; nil when there is none.
    let local: LocalState?
    /// What each worker is handling, for the next start; nil without poison protection.
    let poison: PoisonNotes?
    package let metrics: PipelineMetrics
    /// How far the inputs were read, for ``TopicWatch``.
    let inputWatch = InputWatch()
    /// What the events are like.
    package let inputStatistics = InputStatistics()
    /// What pages about the running pipeline see of it.
    package let live: LiveTap
    /// What the start found in the changelog that cannot be believed.
    let disbelieved: DisbelievedRecords
    /// See ``Application``; false in benchmarks only.
    let writesChangelog: Bool
    private let isStopping = Atomic<Bool>(false)

    init(
        _ prepared: Preparation, identity: ProcessIdentity, layout: TopicLayout, local: LocalState?,
        disbelieved: DisbelievedRecords = DisbelievedRecords(), writesChangelog: Bool = true
    ) {
        configuration = prepared.configuration
        model = prepared.model
        self.identity = identity
        self.layout = layout
        self.local = local
        poison = PoisonNotes.ofProcess(configuration, identity)
        metrics = prepared.metrics
        live = prepared.live
        self.disbelieved = disbelieved
        self.writesChangelog = writesChangelog
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
        var settings = try configuration.processorSettings()
        settings.writesTombstones = layout.isOutputCompacted || configuration.erasesLogStore
        return settings
    }
}

extension Configuration {
    /// The properties of a Kafka client of this configuration.
    /// - Parameter client: `consumer` or `producer`.
    package func kafkaProperties(client: String) -> KafkaProperties {
        var properties: KafkaProperties = ["bootstrap.servers": self.bootstrapServers.joined(separator: ",")]
        for (key, value) in passThrough(client: client) { properties[key] = value }
        return properties
    }

    /// Opens the model, with its signature when a key is configured.
    package func openModel() throws(ImpactError) -> Model { try openModel(try required("model.path")) }

    package func openModel(_ path: String) throws(ImpactError) -> Model {
        if self.modelPublicKey.isEmpty { return try Model.open(path: path) }
        return try Model.open(path: path, key: try Ed25519.publicKey(path: self.modelPublicKey))
    }

    /// Bytes that the local store may hold for what is not in its files yet.
    var stateWriteBufferBytes: Int { max(2 << 20, self.stateCacheBytes / 2) }

    /// Each worker's share of `state.memory.bytes`; nil without a bound.
    ///
    /// - Throws: `badConfiguration` for a bound that leaves a worker less than 8 MiB, or that has nowhere to spill to.
    package func workerMemoryBytes() throws(ImpactError) -> Int? {
        let store = self.stateCacheBytes + stateWriteBufferBytes
        let least = 8 << 20
        switch self.stateMemory {
        case .none: return nil
        case .auto:
            guard self.usesLocalStore else { return nil }
            return max(least, (MemoryLimit.bytes() / 2 - store) / self.workers)
        case .bytes(let bytes):
            guard self.usesLocalStore else {
                throw ImpactError(
                    .badConfiguration, code: "bad_value",
                    "state.memory.bytes needs state.store=rocksdb: users beyond the bound are kept there")
            }
            let share = (bytes - store) / self.workers
            guard share >= least else {
                throw ImpactError(
                    .badConfiguration, code: "bad_value",
                    "state.memory.bytes=\(bytes) leaves a worker \(share) bytes: give at least "
                        + "\(store + self.workers * least) (\(store) for the local store, 8 MiB a worker), or lower "
                        + "state.cache.bytes")
            }
            return share
        }
    }

    /// What decides how events become scores.
    package func processorSettings() throws(ImpactError) -> Processor.Settings {
        var settings = Processor.Settings()
        settings.limits.maxMessageBytes = self.messageMaxBytes
        settings.limits.maxAheadMilliseconds = Int64(self.eventTimeMaxAheadMilliseconds)
        settings.limits.maxBehindMilliseconds = Int64(self.eventTimeMaxBehindMilliseconds)
        settings.limits.requiresKey = !self.acceptsAnyKey
        settings.scoreEvents = self.scoreEvents
        settings.level = try ConfidenceLevel(self.confidenceLevel)
        settings.threshold = self.decisionThreshold
        settings.topics = self.inputTopics
        settings.capacity = self.batchMaxEvents
        settings.timeToLive = Int64(self.stateTimeToLiveMilliseconds)
        return settings
    }
}
