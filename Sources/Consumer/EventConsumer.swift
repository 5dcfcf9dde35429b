import Base
import CRdkafka
import Foundation
import Kafka

/// Reads topics in batches. Belongs to one thread: create, poll and close it there.
///
/// Two modes: ``subscribe()`` joins the consumer group, ``assign(_:)`` takes partitions by hand.
///
/// Two queues stand behind it. librdkafka puts rebalances and records on one queue, so that a rebalance can strike while
/// a batch is being filled and leave revoked records in it (the 2.0.2 trap). Here each partition's records are forwarded
/// to a queue of their own: rebalances and errors are served between batches, from the other queue, and by the time
/// the handler has answered, the library counts what the record queue still holds of revoked partitions as outdated.
package final class EventConsumer {
    /// The topics, in the order that ``Message/topic`` counts.
    package let topics: [String]
    package let options: ConsumerOptions
    /// Not retained.
    package weak var handler: (any AssignmentHandler)?
    package internal(set) var assignment = AssignmentStateMachine()
    package let handle: KafkaHandle

    let controlQueue: OpaquePointer
    let recordQueue: OpaquePointer
    let table: TopicTable
    package let pool: BatchPool
    private var control: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    private static let controlCapacity = 16
    private var pendingErrors: [KafkaError] = []
    /// Whether a batch was full since librdkafka was last woken: its queue may have been full too.
    var mayRest = false
    /// How often librdkafka had to be woken.
    package internal(set) var wakes = 0
    private var isClosed = false

    /// - Parameters:
    ///   - properties: the user's; see ``ConsumerOptions/properties(_:)`` for what is added.
    ///   - topics: the topics to subscribe to, or those whose partitions are assigned by hand.
    /// - Throws: `kafka_property`, `kafka_client`, `missing_bootstrap`. A broker that is away is not an error.
    package convenience init(
        properties: KafkaProperties, topics: [String], options: ConsumerOptions, component: String = "consumer"
    ) throws(ImpactError) {
        try self.init(
            properties: properties, topics: topics, options: options, component: component, bounds: BatchPool.Bounds())
    }

    package init(
        properties: KafkaProperties, topics: [String], options: ConsumerOptions, component: String = "consumer",
        bounds: BatchPool.Bounds
    ) throws(ImpactError) {
        self.topics = topics
        self.options = options
        let pool = BatchPool(bounds: bounds)
        self.pool = pool
        handle = try KafkaHandle(.consumer, properties: options.properties(properties), component: component) {
            pool.giveBack()
        }
        // From here on `poll` serves the client's main queue as well: errors, statistics.
        rd_kafka_poll_set_consumer(handle.pointer)
        controlQueue = rd_kafka_queue_get_consumer(handle.pointer)
        recordQueue = rd_kafka_queue_new(handle.pointer)
        table = TopicTable(topics: topics, handle: handle)
        control = .allocate(capacity: Self.controlCapacity)
        control.initialize(repeating: nil, count: Self.controlCapacity)
        handle.context.onRebalance = { [weak self] code, list in self?.rebalance(code, list) }
    }

    deinit {
        close()
        control.deallocate()
    }

    /// Joins the group. Partitions come to the handler in later polls; topics that do not exist yet are waited for.
    package func subscribe() throws(KafkaError) {
        let list = TopicPartitionList(capacity: topics.count)
        for topic in topics { list.append(TopicPartition(topic, -1)) }
        try KafkaError.check(
            rd_kafka_subscribe(handle.pointer, list.pointer),
            doing: "subscribing to \(topics.joined(separator: ", "))")
    }

    /// The next records: at once when there are any, else the first that arrive within the timeout. Serves rebalances,
    /// errors and the log meanwhile, so it must be called often, also while everything is paused.
    ///
    /// It never waits for a batch to fill: without lag a batch is what one fetch brought, with lag it is `max`.
    /// - Throws: what the library reports apart from records, one error a call: an unknown topic, an offset that is
    ///   gone (with `reset` = `error`), a missing right, a fatal error. A broker that is away is not an error: the log says so.
    package func poll(max: Int, timeoutMilliseconds: Int) throws(KafkaError) -> MessageBatch {
        precondition(max > 0, "a batch has room for one record at least")
        serveControl(timeoutMilliseconds: assignment.owned.isEmpty ? Int32(timeoutMilliseconds) : 0)
        if !pendingErrors.isEmpty { throw pendingErrors.removeFirst() }
        let storage = lendStorage(for: max)
        let messages = storage.messages
        var count = rd_kafka_consume_batch_queue(recordQueue, 0, messages, max)
        if count == 0 && timeoutMilliseconds > 0 && !assignment.owned.isEmpty {
            count = awaitRecords(storage, max: max, timeoutMilliseconds: Int32(timeoutMilliseconds))
        }
        if count == max { mayRest = true }
        return MessageBatch(storage, count: count > 0 ? takeOutErrors(messages, count) : 0)
    }

    /// Whether the group has ended this client's life: another one came with the same `group.instance.id`, or a new
    /// coordinator knows this member under another id than it knows itself. Only a new client can join again.
    package var isFenced: Bool { handle.fatalError?.isFencedMember ?? false }

    /// Destroys the client, within the timeout: revoked partitions go to the handler first. No batch may be alive.
    ///
    /// - Parameter leaves: whether a static member gives up its place in the group at once; else it stays in it until its
    ///   session ends, as one that was killed does. A dynamic member leaves in any case.
    /// - Returns: whether the client is gone; else it was left behind, with an error in the log.
    @discardableResult
    package func close(timeoutMilliseconds: Int = 5_000, leaves: Bool = false) -> Bool {
        if isClosed { return true }
        isClosed = true
        let deadline = DispatchTime.now() + .milliseconds(timeoutMilliseconds)
        perform(assignment.handle(.close))
        if leaves { leaveGroup(until: deadline) }
        if let error = KafkaError(
            consuming: rd_kafka_consumer_close_queue(handle.pointer, controlQueue), doing: "closing the consumer")
        {
            Log.warning(handle.component, "\(error)")
        } else {
            while rd_kafka_consumer_closed(handle.pointer) == 0 && DispatchTime.now() < deadline {
                serveControl(timeoutMilliseconds: 20)
            }
        }
        // By hand nobody takes the partitions over, so there is nothing to tell.
        let last = assignment.handle(.closed)
        if options.group != nil { perform(last) }
        handle.context.onRebalance = nil
        pool.close()
        table.release()
        rd_kafka_queue_destroy(recordQueue)
        rd_kafka_queue_destroy(controlQueue)
        if pool.lent > 0 {
            Log.error(handle.component, "a batch outlives its consumer, whose client is left behind")
        }
        let left = Int(deadline.uptimeNanoseconds) - Int(DispatchTime.now().uptimeNanoseconds)
        return handle.close(
            timeoutMilliseconds: Swift.max(500, left / 1_000_000),
            flags: Int32(RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE))
    }

    /// librdkafka lets no static member leave when it closes (KIP-345), but when it unsubscribes: then, and once its
    /// partitions are given back, it asks the coordinator to forget it and forgets its own member id.
    ///
    /// A client that is still joining has no member id yet. The coordinator may hold a place for it all the same, which
    /// only its answer to the join tells; librdkafka would drop that answer, and the place would stay until the session
    /// ends. So the answer comes first.
    private func leaveGroup(until deadline: DispatchTime) {
        guard options.group != nil, handle.fatalError == nil else { return }
        let joined = min(deadline, DispatchTime.now() + .milliseconds(Self.joinMilliseconds))
        while !isMember && DispatchTime.now() < joined { serveControl(timeoutMilliseconds: 5) }
        rd_kafka_unsubscribe(handle.pointer)
        let left = min(deadline, DispatchTime.now() + .milliseconds(2_000))
        repeat { serveControl(timeoutMilliseconds: 5) } while isMember && DispatchTime.now() < left
    }

    /// A little more than `group.initial.rebalance.delay.ms` of a broker as it comes (3 s), by which it holds back the
    /// answer to the first join.
    private static let joinMilliseconds = 3_500

    /// Whether the coordinator has given this client a member id that it has not given back.
    private var isMember: Bool {
        guard let id = rd_kafka_memberid(handle.pointer) else { return false }
        defer { rd_kafka_mem_free(handle.pointer, id) }
        return id.pointee != 0
    }

    /// Serves rebalances and callbacks, and collects errors that belong to no partition.
    private func serveControl(timeoutMilliseconds: Int32) {
        var timeout = timeoutMilliseconds
        repeat {
            // One at a time when waiting, so that the first event ends the wait.
            let room = timeout > 0 ? 1 : Self.controlCapacity
            let count = rd_kafka_consume_batch_queue(controlQueue, timeout, control, room)
            if count <= 0 { return }
            if takeOutErrors(control, count) > 0 {
                // A record of a partition that was not forwarded: cannot be, since all are before they are assigned.
                Log.error(handle.component, "a record arrived outside the record queue and was dropped")
            }
            timeout = 0
        } while true
    }

    /// An array for a ``MessageBatch``, which must be made of it.
    package func lendStorage(for max: Int) -> BatchStorage {
        pool.lend(max) { BatchStorage(capacity: max, topics: table, handle: handle, pool: pool) }
    }

    /// Moves the records to the front, takes the error messages among them for ``pendingErrors`` or the handler, and
    /// returns the count of records.
    private func takeOutErrors(
        _ messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>, _ count: Int
    ) -> Int {
        var kept = 0
        for i in 0..<count {
            guard let message = messages[i] else { continue }
            if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                messages[kept] = message
                kept += 1
            } else {
                note(message.pointee)
                rd_kafka_message_destroy(message)
            }
        }
        return kept
    }

    private func note(_ message: rd_kafka_message_t) {
        let topic = message.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) }
        let place = topic.map { TopicPartition($0, message.partition) }
        switch message.err {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            if let place { handler?.reachedEnd(of: place, at: message.offset) }
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
            RD_KAFKA_RESP_ERR__TIMED_OUT:
            // The library retries by itself, and the error callback has told.
            break
        default:
            var copy = message
            let said = withUnsafePointer(to: &copy) { rd_kafka_message_errstr($0) }.map { String(cString: $0) }
            let reason = said ?? String(cString: rd_kafka_err2str(message.err))
            let fatal = message.err == RD_KAFKA_RESP_ERR__FATAL
            let error = KafkaError(
                message.err, place.map { "reading \($0) at offset \(message.offset): \(reason)" } ?? reason,
                isRetriable: Self.passes(message.err), isFatal: fatal)
            pendingErrors.append(fatal ? handle.fatalError ?? error : error)
        }
    }

    /// Whether the library goes on by itself and the state may mend: a topic that is about to be created, a leader that
    /// moves.
    private static func passes(_ code: rd_kafka_resp_err_t) -> Bool {
        switch code {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, RD_KAFKA_RESP_ERR_NO_ERROR:
            true
        default: false
        }
    }
}
