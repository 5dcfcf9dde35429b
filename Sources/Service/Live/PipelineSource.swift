import Pipeline

/// What a service shows of the pipeline in its process.
package protocol PipelineSource: Sendable {
    /// Objects whose properties are metrics: of the pipeline, and of the log store's reader.
    var metrics: any Sendable { get }
    var logStoreMetrics: (any Sendable)? { get }
    /// Why the pipeline is not at work, in words; nil when it is.
    var notReady: String? { get }
    var tap: LiveTap { get }
    /// The partitions of the input; 0 until the broker has told.
    var partitions: Int { get }
    /// Who owns a partition, as the group says; nil when nobody does. May take seconds.
    func owner(of partition: Int32) -> PipelineOwner?
}

/// A member of the group that owns a partition.
package struct PipelineOwner: Sendable {
    package var clientID: String
    package var host: String
    package var instance: String?

    package init(clientID: String, host: String, instance: String?) {
        self.clientID = clientID
        self.host = host
        self.instance = instance
    }
}
