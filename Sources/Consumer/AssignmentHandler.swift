import Kafka

/// Is told of changes of ownership, inside ``EventConsumer/poll(max:timeoutMilliseconds:)`` and on its thread.
///
/// Records of revoked or lost partitions never arrive after these calls. The handler may call the consumer (pause, seek,
/// committed offsets, group metadata), but not poll or close.
package protocol AssignmentHandler: AnyObject {
    /// Where the partitions start. Called before they are assigned; the default is the group's committed offsets.
    func startOffsets(of partitions: [TopicPartition]) -> [TopicPartition: StartOffset]
    /// The partitions are owned from now on. They can be paused here, until their state is restored.
    func assigned(_ partitions: [TopicPartition])
    /// The partitions go to others after this call: the last chance to commit what was done with them.
    func revoked(_ partitions: [TopicPartition])
    /// The partitions are another's already: what is not committed must be discarded.
    func lost(_ partitions: [TopicPartition])
    /// All records of the partition were delivered, up to this next offset; only when the options ask for it.
    func reachedEnd(of partition: TopicPartition, at offset: Int64)
}

extension AssignmentHandler {
    package func startOffsets(of partitions: [TopicPartition]) -> [TopicPartition: StartOffset] { [:] }
    package func reachedEnd(of partition: TopicPartition, at offset: Int64) {}
}
