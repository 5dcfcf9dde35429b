import Base
import Foundation
import StateStore

/// The local stores below `state.dir`, opened to look at: one for each process that has run there.
package struct LocalCopies {
    /// A store with a partition in it.
    package struct Copy {
        package let store: StateStore
        package let partition: Int32
        package let checkpoint: Checkpoint
    }

    /// By partition and, for one partition, the one that goes furthest first.
    package let copies: [Copy]
    private let stores: [StateStore]

    /// - Parameter topic: the changelog; what belongs to another one is left out.
    /// - Throws: a store that cannot be read.
    package init(stateDirectory: String, topic: String) throws(ImpactError) {
        var stores: [StateStore] = []
        var copies: [Copy] = []
        for name in ((try? FileManager.default.contentsOfDirectory(atPath: stateDirectory)) ?? []).sorted()
        where Self.isStore(name) {
            let store = try StateStore.inspect(path: "\(stateDirectory)/\(name)")
            stores.append(store)
            for partition in try store.partitions() {
                guard let checkpoint = try store.checkpoint(of: partition), checkpoint.topic == topic else { continue }
                copies.append(Copy(store: store, partition: partition, checkpoint: checkpoint))
            }
        }
        self.stores = stores
        self.copies = copies.sorted {
            ($0.partition, $1.checkpoint.offset) < ($1.partition, $0.checkpoint.offset)
        }
    }

    package func close() { for store in stores { store.close() } }

    /// The copy of a partition that goes furthest.
    package func best(_ partition: Int32) -> Copy? { copies.first { $0.partition == partition } }

    /// `rocksdb-N`, without what was moved aside.
    private static func isStore(_ name: String) -> Bool {
        name.hasPrefix("rocksdb-") && Int(name.dropFirst("rocksdb-".count)) != nil
    }
}
