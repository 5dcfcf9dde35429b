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

    /// - Parameters:
    ///   - stateDirectory: `state.dir`; stores of earlier versions are in it, others in a folder of each application.
    ///   - topic: the changelog; what belongs to another one is left out.
    /// - Throws: a store that cannot be read.
    package init(stateDirectory: String, topic: String) throws(ImpactError) {
        var stores: [StateStore] = []
        var copies: [Copy] = []
        for path in Self.paths(in: stateDirectory) {
            let store = try StateStore.inspect(path: path)
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

    private static func paths(in folder: String) -> [String] {
        func names(_ path: String) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
        }
        let outer = names(folder)
        let own = outer.filter(isStore).map { "\(folder)/\($0)" }
        // A store's own folder holds no stores.
        let inner = outer.filter { !isStore($0) }.flatMap { application in
            names("\(folder)/\(application)").filter(isStore).map { "\(folder)/\(application)/\($0)" }
        }
        return own + inner
    }

    /// `rocksdb-N`, without what was moved aside.
    private static func isStore(_ name: String) -> Bool {
        name.hasPrefix("rocksdb-") && Int(name.dropFirst("rocksdb-".count)) != nil
    }
}
