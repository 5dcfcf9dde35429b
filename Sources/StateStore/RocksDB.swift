import Base
import CRocksDB
import CRocksDBLog
import Foundation

/// Owns an open RocksDB database with its options. The library takes calls from any thread; the last reference closes.
final class RocksDB: @unchecked Sendable {  // Only constants; the library locks for itself.
    let database: OpaquePointer
    /// The one column family. The C API has no getter for the default one, so it is opened by its name.
    let family: OpaquePointer
    private let options: OpaquePointer
    private let cache: OpaquePointer
    let write: OpaquePointer
    let read: OpaquePointer
    private let path: String

    /// - Parameter isReadOnly: looks at a store that another process may have open.
    init(path: String, options limits: StateStore.Options, isReadOnly: Bool = false) throws(ImpactError) {
        self.path = path
        let cache: OpaquePointer = rocksdb_cache_create_lru(limits.cacheBytes)
        let options = Self.options(limits, cache: cache, isReadOnly: isReadOnly)
        self.cache = cache
        self.options = options
        write = rocksdb_writeoptions_create()
        read = rocksdb_readoptions_create()
        rocksdb_readoptions_set_verify_checksums(read, 1)
        // RocksDB makes its files as readable as the umask allows, on threads of its own and as long as it is open. What else
        // a process makes that keeps users' state says itself who may read it.
        if !isReadOnly { umask(0o077) }
        var opened: (OpaquePointer, OpaquePointer)?
        var fault: UnsafeMutablePointer<CChar>?
        "default".withCString { name in
            var names: [UnsafePointer<CChar>?] = [name]
            var each: [OpaquePointer?] = [options]
            var families: [OpaquePointer?] = [nil]
            let database =
                isReadOnly
                ? rocksdb_open_for_read_only_column_families(
                    options, path, 1, &names, &each, &families, 0, &fault)
                : rocksdb_open_column_families(options, path, 1, &names, &each, &families, &fault)
            if let database, let family = families[0] { opened = (database, family) }
        }
        guard let opened else {
            rocksdb_readoptions_destroy(read)
            rocksdb_writeoptions_destroy(write)
            rocksdb_options_destroy(options)
            rocksdb_cache_destroy(cache)
            throw StoreFault.error(taking: fault, path: path, doing: "opening it")
        }
        (database, family) = opened
    }

    deinit {
        rocksdb_column_family_handle_destroy(family)
        rocksdb_close(database)
        rocksdb_readoptions_destroy(read)
        rocksdb_writeoptions_destroy(write)
        rocksdb_options_destroy(options)
        rocksdb_cache_destroy(cache)
    }

    private static func options(
        _ limits: StateStore.Options, cache: OpaquePointer, isReadOnly: Bool
    ) -> OpaquePointer {
        let table = rocksdb_block_based_options_create()
        rocksdb_block_based_options_set_block_cache(table, cache)
        rocksdb_block_based_options_set_block_size(table, 16 << 10)
        // Filters and indexes count within the cache, so that one number bounds them all.
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1)
        rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10))
        rocksdb_block_based_options_set_format_version(table, 5)
        // The library allocates with C++'s new, which gives no null.
        let options: OpaquePointer = rocksdb_options_create()
        rocksdb_options_set_block_based_table_factory(options, table)
        rocksdb_block_based_options_destroy(table)
        rocksdb_options_set_create_if_missing(options, isReadOnly ? 0 : 1)
        rocksdb_options_set_compression(options, Int32(rocksdb_lz4_compression))
        rocksdb_options_set_db_write_buffer_size(options, limits.writeBufferBytes)
        rocksdb_options_set_write_buffer_size(options, max(1 << 20, limits.writeBufferBytes / 2))
        rocksdb_options_set_max_write_buffer_number(options, 3)
        rocksdb_options_set_max_background_jobs(options, 2)
        // A reader beside a living process must hold its files open, since compaction deletes them.
        rocksdb_options_set_max_open_files(options, isReadOnly ? -1 : 256)
        // No log file of RocksDB's own: what matters comes as errors, and on a full disk that file would end the process.
        impactiq_rocksdb_silence(UnsafeMutableRawPointer(options))
        rocksdb_options_set_bytes_per_sync(options, 1 << 20)
        // It lists the files' first and last keys, of erased users too until it is written anew: here, or at a start.
        rocksdb_options_set_max_manifest_file_size(options, 64 << 10)
        return options
    }

    /// Calls the library, and throws what it reports.
    func call<Result>(
        _ doing: String, _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) throws(ImpactError) -> Result {
        var fault: UnsafeMutablePointer<CChar>?
        let result = body(&fault)
        if fault != nil { throw StoreFault.error(taking: fault, path: path, doing: doing) }
        return result
    }

    /// The value of a key, copied; nil when there is none.
    func get(_ key: [UInt8]) throws(ImpactError) -> [UInt8]? {
        var count = 0
        let value = try call("reading") { fault in
            key.withUnsafeBytes { rocksdb_get(database, read, $0.chars, $0.count, &count, fault) }
        }
        guard let value else { return nil }
        defer { rocksdb_free(value) }
        return Array(UnsafeRawBufferPointer(start: value, count: count))
    }

    /// A number that the library keeps about itself, such as `rocksdb.estimate-num-keys`; 0 when it does not know.
    func property(_ name: String) -> Int {
        var value: UInt64 = 0
        return rocksdb_property_int_cf(database, family, name, &value) == 0 ? Int(clamping: value) : 0
    }
}

/// What RocksDB's texts mean.
enum StoreFault {
    static let damaged = "state_store_damaged"
    static let full = "state_store_full"
    static let busy = "state_store_busy"
    static let failed = "state_store_failed"
    static let replaced = "state_store_replaced"

    /// Frees the text.
    static func error(taking fault: UnsafeMutablePointer<CChar>?, path: String, doing: String) -> ImpactError {
        let text = fault.map { String(cString: $0) } ?? "unknown error"
        rocksdb_free(fault)
        return error(text, path: path, doing: doing)
    }

    static func error(_ text: String, path: String, doing: String) -> ImpactError {
        ImpactError(.failed, code: code(text), "the local store \(path), \(doing): \(text)")
    }

    static func code(_ text: String) -> String {
        let text = text.lowercased()
        if text.contains("no space left") || text.contains("disk quota") { return full }
        if text.contains("lock") && text.contains("temporarily unavailable") || text.contains("lock hold by") {
            return busy
        }
        // Corruption, or a file of the database that is gone or cut.
        if text.hasPrefix("corruption") || text.hasPrefix("invalid argument") || text.hasPrefix("not found") {
            return damaged
        }
        if text.contains("no such file"), text.contains(".sst") || text.contains("manifest") { return damaged }
        return failed
    }
}

extension UnsafeRawBufferPointer {
    /// As the C API wants it; an empty text is not null.
    var chars: UnsafePointer<CChar>? {
        baseAddress?.assumingMemoryBound(to: CChar.self)
    }
}
