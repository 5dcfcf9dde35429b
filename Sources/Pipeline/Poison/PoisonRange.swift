/// Offsets of a partition at which the process died, or was about to.
package struct PoisonRange: Equatable, BitwiseCopyable {
    /// The number of the topic in `input.topics`.
    package var topic: Int32
    package var partition: Int32
    /// Deaths that point to this range: as written before the work, how many came before.
    package var deaths: Int32
    package var first: Int64
    package var last: Int64

    package init(topic: Int32, partition: Int32, deaths: Int32, first: Int64, last: Int64) {
        self.topic = topic
        self.partition = partition
        self.deaths = deaths
        self.first = first
        self.last = last
    }

    /// Whether it names one message.
    package var isExact: Bool { first == last }
    /// Twice is not an accident.
    package var isPoison: Bool { isExact && deaths >= 2 }

    package func isOf(_ topic: Int32, _ partition: Int32) -> Bool { topic == self.topic && partition == self.partition }

    package func holds(_ topic: Int32, _ partition: Int32, _ offset: Int64) -> Bool {
        isOf(topic, partition) && offset >= first && offset <= last
    }
}

/// What earlier deaths say about which message is to blame, as a pure value.
///
/// ```
///   a batch was being handled ──► its range is suspect: handled one message at a time at the next start
///   one message was handled alone ──► that message died once more; after the second death it is poison
/// ```
/// A crash (a trap, a bad access) counts from the first time, since it came from the work itself; a SIGKILL may have been
/// anybody's, and counts only when it struck while one message was handled alone. So a message that crashes the process
/// is quarantined at the third start, one that gets it killed (for its memory, say) at the fourth, and a process that is
/// killed at random quarantines nothing.
package struct PoisonSuspects: Equatable {
    /// More would mean that something else is wrong.
    package static let limit = 100
    package private(set) var ranges: [PoisonRange]

    /// - Parameters:
    ///   - known: what was suspected before the death.
    ///   - noted: what was being handled when the process died, and whether it crashed there.
    package init(known: [PoisonRange], noted: [(range: PoisonRange, isCrash: Bool)]) {
        ranges = known
        for (range, isCrash) in noted {
            var range = range
            if range.isExact || isCrash { range.deaths += 1 }
            if let index = ranges.firstIndex(where: {
                $0.isOf(range.topic, range.partition) && $0.first == range.first && $0.last == range.last
            }) {
                ranges[index].deaths = max(ranges[index].deaths, range.deaths)
            } else {
                ranges.append(range)
            }
        }
        ranges = ranges.suffix(Self.limit)
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// What is known against this message: the most deaths among exact ranges and wide ones; nil when it is above suspicion.
    package func suspect(_ topic: Int32, _ partition: Int32, _ offset: Int64) -> PoisonRange? {
        let deaths = ranges.lazy.filter { $0.holds(topic, partition, offset) }.map(\.deaths).max()
        return deaths.map { PoisonRange(topic: topic, partition: partition, deaths: $0, first: offset, last: offset) }
    }

    /// Forgets what lies before a committed offset. Returns whether anything did.
    package mutating func passed(_ topic: Int32, _ partition: Int32, committed offset: Int64) -> Bool {
        let count = ranges.count
        ranges.removeAll { $0.isOf(topic, partition) && $0.last < offset }
        return ranges.count < count
    }
}
