import CRdkafka

/// What was read of one topic's partition and waits for its turn: a queue of records that it owns.
struct MergeLane {
    struct Entry: BitwiseCopyable {
        var message: UnsafeMutablePointer<rd_kafka_message_t>
        /// The record's own time, milliseconds since 1970.
        var time: Int64
        /// When it came, on the clock of ``TopicMerger``.
        var arrival: Int64
    }

    private var ring: UnsafeMutablePointer<Entry>
    private var capacity = 256
    private var head = 0
    private(set) var count = 0
    private(set) var bytes = 0
    /// The last offset that came in; −1 before the first.
    private(set) var lastOffset: Int64 = -1
    /// Where the log ended when its end was last told; −1 while it was not.
    var endOffset: Int64 = -1
    var isPaused = false

    init() { ring = .allocate(capacity: capacity) }

    /// Everything that was in the log when its end was last told has come.
    var isAtEnd: Bool { endOffset > lastOffset }

    var first: Entry? { count == 0 ? nil : ring[head] }

    mutating func append(_ entry: Entry) {
        if count == capacity { grow() }
        ring[(head + count) & (capacity - 1)] = entry
        count += 1
        bytes += entry.message.pointee.len
        lastOffset = entry.message.pointee.offset
    }

    mutating func removeFirst() -> Entry {
        let entry = ring[head]
        head = (head + 1) & (capacity - 1)
        count -= 1
        bytes -= entry.message.pointee.len
        return entry
    }

    /// Gives the records back to the library.
    mutating func removeAll() {
        while count > 0 { rd_kafka_message_destroy(removeFirst().message) }
        lastOffset = -1
        endOffset = -1
    }

    mutating func deallocate() {
        removeAll()
        ring.deallocate()
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: capacity * 2)
        for i in 0..<count { (larger + i).initialize(to: ring[(head + i) & (capacity - 1)]) }
        ring.deallocate()
        ring = larger
        capacity *= 2
        head = 0
    }
}
