/// Something that will happen: an event still to come, or one on its way to the reader.
struct PendingEvent: BitwiseCopyable {
    /// When it is written, milliseconds since 1970; later than ``time`` for an event that arrives late.
    var due: Int64
    /// Decides between equal times, in the order of their making.
    var order: UInt64
    /// Event time, milliseconds since 1970.
    var time: Int64
    /// The number in the event's id; 0 when it has none yet.
    var id: UInt64 = 0
    var user: UInt32
    /// An amount of money in cents.
    var cents: Int32 = 0
    var campaign: UInt16 = 0
    var kind: EventKind
    /// How many of the same kind follow in a chain of page views or impressions.
    var remaining: UInt8 = 0
    /// 1 when the person was given the ad.
    var arm: UInt8 = 0
    /// 1 when the opportunity ends in a purchase.
    var outcome: UInt8 = 0
    var isDuplicate = false
    /// Whether the event was made before and is now only to be written.
    var isReady = false
}

/// The events to come, earliest first: a four-ary heap (Johnson 1975) in memory it owns.
///
/// Single-threaded. Grows by doubling; once it has its size, nothing is allocated.
final class PendingEvents {
    private var storage: UnsafeMutablePointer<PendingEvent>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 1024) {
        self.capacity = capacity
        storage = .allocate(capacity: capacity)
    }

    // PendingEvent is trivially copyable: nothing to deinitialise.
    deinit { storage.deallocate() }

    /// When the first event is due; far in the future when there is none.
    var nextDue: Int64 { count > 0 ? storage[0].due : .max }

    func push(_ event: PendingEvent) {
        if count == capacity { grow() }
        var hole = count
        count += 1
        while hole > 0 {
            let parent = (hole - 1) / 4
            if !Self.isEarlier(event, storage[parent]) { break }
            storage[hole] = storage[parent]
            hole = parent
        }
        storage[hole] = event
    }

    /// Takes the first event out; nil when there is none.
    func pop() -> PendingEvent? {
        guard count > 0 else { return nil }
        let first = storage[0]
        count -= 1
        let moved = storage[count]
        var hole = 0
        while true {
            let firstChild = 4 * hole + 1
            guard firstChild < count else { break }
            var least = firstChild
            for child in firstChild + 1..<max(firstChild + 1, min(firstChild + 4, count))
            where Self.isEarlier(storage[child], storage[least]) { least = child }
            if !Self.isEarlier(storage[least], moved) { break }
            storage[hole] = storage[least]
            hole = least
        }
        storage[hole] = moved
        return first
    }

    private static func isEarlier(_ a: PendingEvent, _ b: PendingEvent) -> Bool {
        a.due != b.due ? a.due < b.due : a.order < b.order
    }

    private func grow() {
        let larger = UnsafeMutablePointer<PendingEvent>.allocate(capacity: capacity * 2)
        larger.update(from: storage, count: count)
        storage.deallocate()
        storage = larger
        capacity *= 2
    }
}
