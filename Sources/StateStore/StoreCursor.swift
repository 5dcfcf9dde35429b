import Base
import CRocksDB

/// Reads the records of one partition as they were when it was made, in the order of the users' ids.
package final class StoreCursor {
    private let store: StateStore
    private let partition: Int32
    private var options: OpaquePointer?
    private var iterator: OpaquePointer?
    /// RocksDB keeps the bound's address.
    private let bound: UnsafeMutableBufferPointer<CChar>
    /// Records read so far.
    package private(set) var count = 0

    /// Inside the store's shared lock.
    init(_ store: StateStore, _ database: RocksDB, _ partition: Int32) {
        self.store = store
        self.partition = partition
        let end = StoreKey.recordsEnd(partition)
        bound = .allocate(capacity: end.count)
        _ = bound.initialize(from: end.map { CChar(bitPattern: $0) })
        options = rocksdb_readoptions_create()
        rocksdb_readoptions_set_verify_checksums(options, 1)
        // A pass over everything would push out of the cache what single look-ups want.
        rocksdb_readoptions_set_fill_cache(options, 0)
        rocksdb_readoptions_set_readahead_size(options, 2 << 20)
        rocksdb_readoptions_set_iterate_upper_bound(options, bound.baseAddress, bound.count)
        iterator = rocksdb_create_iterator_cf(database.database, options, database.family)
        StoreKey.recordPrefix(partition).withUnsafeBytes { rocksdb_iter_seek(iterator, $0.chars, $0.count) }
    }

    deinit {
        store.end(self)
        bound.deallocate()
    }

    /// Ends reading; the store does so when it is closed or replaced.
    func release() {
        if let iterator { rocksdb_iter_destroy(iterator) }
        if let options { rocksdb_readoptions_destroy(options) }
        iterator = nil
        options = nil
    }

    /// Calls `body` with the next users and their records, at most `limit`.
    ///
    /// - Returns: whether there may be more.
    /// - Throws: `state_store_damaged` and the like; what `body` throws.
    package func read(
        _ limit: Int, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(ImpactError) -> Void
    ) throws(ImpactError) -> Bool {
        try store.shared { database throws(ImpactError) in
            guard let iterator else {
                throw StoreFault.error("it was closed while being read", path: store.path, doing: "reading")
            }
            for _ in 0..<limit {
                guard rocksdb_iter_valid(iterator) != 0 else {
                    try database.call("reading") { rocksdb_iter_get_error(iterator, $0) }
                    return false
                }
                var keyCount = 0
                var valueCount = 0
                let key = rocksdb_iter_key(iterator, &keyCount)
                let value = rocksdb_iter_value(iterator, &valueCount)
                let bytes = UnsafeRawBufferPointer(start: key, count: keyCount)
                try body(
                    UnsafeRawBufferPointer(rebasing: bytes[StoreKey.recordPrefixBytes...]),
                    UnsafeRawBufferPointer(start: value, count: valueCount))
                count += 1
                rocksdb_iter_next(iterator)
            }
            return true
        }
    }
}
