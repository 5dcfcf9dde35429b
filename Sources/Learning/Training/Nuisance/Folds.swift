import Statistics

/// Which fold each row is in; rows of one cluster share a fold.
package struct Folds: Sendable {
    package let count: Int
    package let fold: [UInt8]

    package init(rows: Int, count: Int, clusters: [UInt32]?, seed: UInt64) {
        self.count = count
        if let clusters {
            fold = clusters.map { cluster in
                var stream = RandomStream(seed: seed, lane: UInt64(cluster) &+ 0x464F_4C44)
                return UInt8(stream.below(count))
            }
        } else {
            var stream = RandomStream(seed: seed, lane: 0x464F_4C44)
            fold = (0..<rows).map { _ in UInt8(stream.below(count)) }
        }
    }
}
