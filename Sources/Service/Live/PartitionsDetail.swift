import Base
import JSON
import Pipeline

/// The partitions of this process: how each stands, how far restores are, when the group last moved them.
struct PartitionsDetail {
    let tap: LiveTap
    let count: Int
    let rebalances: Double

    init(_ tap: LiveTap, of count: Int, _ reading: MetricReading?) {
        self.tap = tap
        self.count = count
        rebalances = reading?.rebalances ?? 0
    }

    func write(to out: ByteBuffer) {
        out.member("partitions")
        out.object {
            for (partition, phase) in tap.partitions.sorted(by: { $0.key < $1.key }) {
                out.member("\(partition)", phase.rawValue)
            }
        }
        out.member("partition_count", count)
        out.member("rebalances")
        out.object {
            out.member("count", rebalances)
            out.member("last", tap.rebalanced.map { Double($0) } ?? .nan)
        }
        out.member("restores")
        out.list(tap.restores.sorted { $0.key < $1.key }) { partition, restore in
            out.object {
                out.member("partition", partition)
                out.member("loaded", restore.loaded)
                out.member("records", restore.records)
                out.member("left", restore.left)
            }
        }
    }
}
