import Base
import CBench
import Terminal

/// Allocations by the library that asked for them, as the interposed allocator counted them.
struct AllocationCounts {
    struct Library {
        let name: String
        let count: Int
        let bytes: Int

        /// The Kafka client and what it stands on; everything else is ours, Swift's runtime included.
        var isKafkaClient: Bool {
            ["librdkafka", "libssl", "libcrypto", "libsasl2", "liblz4", "libzstd", "libz."].contains {
                name.hasPrefix($0)
            }
        }
    }

    let libraries: [Library]
    let events: Int

    /// What was counted since the start; only libraries that allocated.
    static func collect(events: Int) -> AllocationCounts {
        var libraries: [Library] = []
        var index: Int32 = 0
        var name: UnsafePointer<CChar>?
        var (count, bytes) = (Int64(0), Int64(0))
        while cbench_allocations_get(index, &name, &count, &bytes) == 1 {
            index += 1
            guard count > 0, let name else { continue }
            libraries.append(Library(name: String(cString: name), count: Int(count), bytes: Int(bytes)))
        }
        return AllocationCounts(libraries: libraries, events: events)
    }

    var own: Int { libraries.filter { !$0.isKafkaClient }.reduce(0) { $0 + $1.count } }
    var ownPerEvent: Double { Double(own) / Double(max(1, events)) }

    var text: String {
        var table = Table(.text("library"), .number("allocations"), .number("an event"), .number("bytes"))
        for library in libraries.sorted(by: { $0.count > $1.count }) {
            table.add(
                library.name, HumanNumber.grouped(library.count),
                HumanNumber.decimals(Double(library.count) / Double(max(1, events)), 6),
                HumanNumber.bytes(library.bytes))
        }
        return table.text()
            + "\(HumanNumber.grouped(own)) allocations of our own in \(HumanNumber.grouped(events)) events\n"
    }

    var json: JSONOutput {
        [
            "events": .integer(events), "own": .integer(own), "own_per_event": .number(ownPerEvent),
            "libraries": .array(
                libraries.map {
                    ["library": .text($0.name), "allocations": .integer($0.count), "bytes": .integer($0.bytes)]
                }),
        ]
    }
}
