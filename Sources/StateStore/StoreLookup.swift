import Base
import CRocksDB

/// Looks up many users of a partition at once. Reused; belongs to one thread.
package final class StoreLookup {
    private var keys: [UInt8] = []
    private var starts: [Int] = [0]
    private var pointers: [UnsafePointer<CChar>?] = []
    private var sizes: [Int] = []
    private var values: [OpaquePointer?] = []
    private var faults: [UnsafeMutablePointer<CChar>?] = []
    private var prefix: [UInt8] = []

    package init() {}

    package var count: Int { starts.count - 1 }

    /// Begins to ask for users of a partition.
    package func begin(_ partition: Int32) {
        keys.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        starts.append(0)
        prefix = StoreKey.recordPrefix(partition)
    }

    /// Asks for a user.
    package func add(_ user: UnsafeRawBufferPointer) {
        keys.append(contentsOf: prefix)
        keys.append(contentsOf: user)
        starts.append(keys.count)
    }

    /// Calls `body` with each user asked for who is in the store, and the record. A user who was never written costs a
    /// look at the filters, hardly ever one at the disk.
    package func run(
        _ store: StateStore,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        let count = count
        guard count > 0 else { return }
        pointers.removeAll(keepingCapacity: true)
        sizes.removeAll(keepingCapacity: true)
        values = [OpaquePointer?](repeating: nil, count: count)
        faults = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
        let result: Result<Void, ImpactError> = keys.withUnsafeBytes { bytes in
            for i in 0..<count {
                pointers.append(bytes.chars.map { $0 + starts[i] })
                sizes.append(starts[i + 1] - starts[i])
            }
            do throws(ImpactError) {
                try store.shared { database throws(ImpactError) in
                    rocksdb_batched_multi_get_cf(
                        database.database, database.read, database.family, count, &pointers, &sizes, &values, &faults,
                        false)
                    try take(bytes, store, body)
                }
                return .success(())
            } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Hands out the values and frees them all, whatever happens.
    private func take(
        _ bytes: UnsafeRawBufferPointer, _ store: StateStore,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        var failure: ImpactError?
        for i in 0..<count {
            if let fault = faults[i] {
                failure = StoreFault.error(taking: fault, path: store.path, doing: "reading users")
            }
            guard let value = values[i] else { continue }
            var size = 0
            let start = rocksdb_pinnableslice_value(value, &size)
            if failure == nil {
                let user = UnsafeRawBufferPointer(
                    rebasing: bytes[(starts[i] + StoreKey.recordPrefixBytes)..<starts[i + 1]])
                do throws(ImpactError) {
                    try body(user, UnsafeRawBufferPointer(start: start, count: size))
                } catch { failure = error }
            }
            rocksdb_pinnableslice_destroy(value)
        }
        if let failure { throw failure }
    }
}
