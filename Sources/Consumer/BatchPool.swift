import CRdkafka
import Kafka
import Synchronization

/// The arrays that a consumer lends to its batches, and the way back of the messages in them.
///
/// librdkafka makes messages on its broker's thread and takes them back from any. But glibc frees memory into the arena that
/// it came from, under a lock, and who meets the lock sleeps: a worker that gives back its own messages, while that thread
/// makes others, slept nine times a thousand events, almost a third of its time (docs/performance.md). So the messages of a
/// batch are given back by the thread that makes the next ones, when a fetch has come back and before it is read.
///
/// What waits for that is bounded in batches, messages and bytes; a batch beyond the bounds gives all of it back.
package final class BatchPool: Sendable {
    /// Bounds of what waits. A fetch brings some ten thousand messages of usual size.
    package struct Bounds: Sendable {
        package var batches: Int
        package var messages: Int
        package var bytes: Int

        package init(batches: Int = 64, messages: Int = 32_768, bytes: Int = 16 << 20) {
            self.batches = batches
            self.messages = messages
            self.bytes = bytes
        }
    }

    private struct State {
        var isOpen = true
        var lent = 0
        var idle: [BatchStorage] = []
        var waiting: [BatchStorage] = []
        var messages = 0
        var bytes = 0
    }

    private let state = Mutex(State())
    private let bounds: Bounds

    init(bounds: Bounds = Bounds()) {
        self.bounds = bounds
        state.withLock { state in
            // Whoever puts something in allocates nothing.
            state.idle.reserveCapacity(bounds.batches + 2)
            state.waiting.reserveCapacity(bounds.batches)
        }
    }

    /// How many batches are alive.
    package var lent: Int { state.withLock { $0.lent } }
    /// How many messages wait.
    package var waiting: Int { state.withLock { $0.messages } }

    /// An array with room for `max` messages: one that is idle, or what `make` makes.
    func lend(_ max: Int, orMake make: () -> BatchStorage) -> BatchStorage {
        let idle = state.withLock { state in
            state.lent += 1
            return state.idle.popLast()
        }
        // One that is too small is let go: sizes differ only when the caller's do.
        if let idle, idle.capacity >= max { return idle }
        return make()
    }

    /// Takes back an array at the end of its batch, with the messages that are still in it.
    func take(_ storage: BatchStorage, count: Int) {
        storage.count = count
        storage.bytes = storage.payloadBytes
        let isTaken = state.withLock { state in
            state.lent -= 1
            guard count > 0, state.isOpen, state.waiting.count < bounds.batches,
                state.messages + count <= bounds.messages, state.bytes + storage.bytes <= bounds.bytes
            else { return false }
            state.waiting.append(storage)
            state.messages += count
            state.bytes += storage.bytes
            return true
        }
        if isTaken { return }
        // Beyond the bounds no fetch has come back for long: what waits keeps the memory of whole fetches for nothing, and the
        // thread that makes messages is quiet.
        if count > 0 { giveBack() }
        storage.destroyMessages()
        putAway(storage)
    }

    /// Gives back what waits; on the thread that makes messages.
    func giveBack() {
        for _ in 0..<bounds.batches {
            let next = state.withLock { state in
                let next = state.waiting.popLast()
                state.messages -= next?.count ?? 0
                state.bytes -= next?.bytes ?? 0
                return next
            }
            guard let next else { return }
            next.destroyMessages()
            putAway(next)
        }
    }

    /// Gives back what waits, here; from now on a batch's messages are given back when it ends.
    func close() {
        state.withLock { $0.isOpen = false }
        giveBack()
        state.withLock { $0.idle = [] }
    }

    private func putAway(_ storage: BatchStorage) {
        state.withLock { state in
            if state.isOpen, state.idle.count <= bounds.batches { state.idle.append(storage) }
        }
    }
}

/// The array that a consumer lends to its batches, and what a batch needs while it lives. Has one owner at a time: a batch,
/// the pool, or the thread that gives its messages back.
package final class BatchStorage: @unchecked Sendable {
    let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    package let capacity: Int
    let topics: TopicTable
    let pool: BatchPool
    /// How many messages are in it, and the bytes of their payloads, when its batch has ended.
    fileprivate(set) var count = 0
    fileprivate(set) var bytes = 0
    /// Messages must not outlive their client.
    private let handle: KafkaHandle

    init(capacity: Int, topics: TopicTable, handle: KafkaHandle, pool: BatchPool) {
        messages = .allocate(capacity: capacity)
        messages.initialize(repeating: nil, count: capacity)
        self.capacity = capacity
        self.topics = topics
        self.handle = handle
        self.pool = pool
    }

    deinit { messages.deallocate() }

    fileprivate var payloadBytes: Int {
        var bytes = 0
        for i in 0..<count { bytes += messages[i]?.pointee.len ?? 0 }
        return bytes
    }

    fileprivate func destroyMessages() {
        for i in 0..<count {
            if let message = messages[i] { rd_kafka_message_destroy(message) }
        }
        count = 0
    }
}
