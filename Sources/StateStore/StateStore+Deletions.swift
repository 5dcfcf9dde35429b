import Base
import CRocksDB

/// Deleting a record only covers it: its bytes are in the files until they are merged. What was deleted is merged away by a
/// deadline, and the store itself remembers since when there is something to merge, so that a crash forgets nothing.
extension StateStore {
    /// Since when files may hold what was deleted, milliseconds since 1970; nil when they do not.
    package func deletionsSince() throws(ImpactError) -> Int64? {
        try shared { database throws(ImpactError) in
            try database.get(StoreKey.deletions).flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
        }
    }

    /// Remembers that something was deleted; the first time counts.
    package func noteDeletions(at time: Int64) throws(ImpactError) {
        guard try deletionsSince() == nil else { return }
        let batch = StoreBatch()
        batch.put(StoreKey.deletions, Array("\(time)".utf8))
        try write(batch)
    }

    /// Merges the files, so that each record is there once and what was deleted is in none of them.
    package func compact() throws(ImpactError) {
        try shared { database throws(ImpactError) in
            rocksdb_compact_range_cf(database.database, database.family, nil, 0, nil, 0)
        }
        let batch = StoreBatch()
        batch.delete(StoreKey.deletions)
        try write(batch)
    }

    /// Merges the files that hold earlier records of these users, who were erased.
    package func compact(_ partition: Int32, users: [[UInt8]]) throws(ImpactError) {
        try shared { database throws(ImpactError) in
            for user in users {
                let key = StoreKey.recordPrefix(partition) + user
                key.withUnsafeBytes { key in
                    rocksdb_compact_range_cf(
                        database.database, database.family, key.chars, key.count, key.chars, key.count)
                }
            }
        }
    }
}
