import CRocksDB

/// Changes that become part of the store together. Belongs to one thread at a time.
package final class StoreBatch: @unchecked Sendable {  // Handed from thread to thread, never used by two at once.
    let pointer: OpaquePointer
    private var key: [UInt8] = []
    /// Whether anything is taken out of the store.
    package private(set) var hasDeletions = false

    package init() { pointer = rocksdb_writebatch_create() }

    deinit { rocksdb_writebatch_destroy(pointer) }

    package var count: Int { Int(rocksdb_writebatch_count(pointer)) }
    package var isEmpty: Bool { count == 0 }

    /// Bytes held.
    package var bytes: Int {
        var size = 0
        rocksdb_writebatch_data(pointer, &size)
        return size
    }

    /// Sets a user's record; nil removes the user.
    package func put(_ partition: Int32, user: UnsafeRawBufferPointer, record: UnsafeRawBufferPointer?) {
        key.removeAll(keepingCapacity: true)
        key.append(contentsOf: StoreKey.recordPrefix(partition))
        key.append(contentsOf: user)
        key.withUnsafeBytes { key in
            if let record {
                rocksdb_writebatch_put(pointer, key.chars, key.count, record.chars, record.count)
            } else {
                hasDeletions = true
                rocksdb_writebatch_delete(pointer, key.chars, key.count)
            }
        }
    }

    /// Says how far the partition's store goes with this batch.
    package func put(_ partition: Int32, _ checkpoint: Checkpoint) {
        put(StoreKey.checkpoint(partition), Array(checkpoint.text.utf8))
    }

    /// Forgets all of a partition.
    package func erase(_ partition: Int32) {
        hasDeletions = true
        StoreKey.checkpoint(partition).withUnsafeBytes { key in
            rocksdb_writebatch_delete(pointer, key.chars, key.count)
        }
        StoreKey.recordPrefix(partition).withUnsafeBytes { start in
            StoreKey.recordsEnd(partition).withUnsafeBytes { end in
                rocksdb_writebatch_delete_range(pointer, start.chars, start.count, end.chars, end.count)
            }
        }
    }

    func delete(_ key: [UInt8]) {
        key.withUnsafeBytes { rocksdb_writebatch_delete(pointer, $0.chars, $0.count) }
    }

    func put(_ key: [UInt8], _ value: [UInt8]) {
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                rocksdb_writebatch_put(pointer, key.chars, key.count, value.chars, value.count)
            }
        }
    }

    package func removeAll() {
        hasDeletions = false
        rocksdb_writebatch_clear(pointer)
    }
}
