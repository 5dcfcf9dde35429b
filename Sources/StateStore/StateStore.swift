import Base
import CRocksDB
import Foundation
import Synchronization

/// The local store of one process: for each partition its users' records, and how far they go (``Checkpoint``).
///
/// One RocksDB with one bounded cache. It is a copy of what Kafka's changelog holds, kept so that a start need not read
/// all of it: whatever is wrong with it, it can be moved aside and filled again. Any thread may call.
package final class StateStore: @unchecked Sendable {  // Mutable state is behind `lock` and `cursorLock`.
    package struct Options: Sendable {
        /// Bound of the cache of blocks, filters and indexes.
        package var cacheBytes = 64 << 20
        /// Bound of what was written and is not in files yet.
        package var writeBufferBytes = 32 << 20

        package init() {}
    }

    package let path: String
    private let options: Options
    private let lock = SharedLock()
    private var database: RocksDB?
    /// Cursors that are open, each owned by its reader.
    private var cursors: [ObjectIdentifier: Unmanaged<StoreCursor>] = [:]
    private let cursorLock = NSLock()
    private let generations = Atomic<Int>(0)
    /// A write failed: none until the store is opened anew.
    private let isStuck = Atomic<Bool>(false)

    /// Opens the store or makes it. One that is damaged is moved aside, with a warning that says where.
    ///
    /// - Throws: `state_store_busy` when another process has it open, `state_store_full`, `state_store_failed`.
    package init(path: String, options: Options = Options()) throws(ImpactError) {
        self.path = path
        self.options = options
        do {
            database = try Self.open(path, options)
        } catch {
            guard error.code == StoreFault.damaged else { throw error }
            try Self.moveAside(path, reason: error.message)
            database = try Self.open(path, options)
        }
    }

    private init(path: String, options: Options, readOnly database: RocksDB) {
        self.path = path
        self.options = options
        self.database = database
    }

    /// Looks at a store without changing it, also while another process works with it.
    package static func inspect(path: String) throws(ImpactError) -> StateStore {
        var tries = 0
        while true {
            do {
                let database = try RocksDB(path: path, options: Options(), isReadOnly: true)
                return StateStore(path: path, options: Options(), readOnly: database)
            } catch {
                // Its owner may have removed a file between our look at the list and the file.
                tries += 1
                if tries == 5 { throw error }
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
    }

    private static func open(_ path: String, _ options: Options) throws(ImpactError) -> RocksDB {
        // RocksDB makes what is in it readable for all.
        mkdir(path, 0o700)
        let database = try RocksDB(path: path, options: options)
        if let format = try database.get(StoreKey.format) {
            guard format == Array(StoreKey.formatName.utf8) else {
                throw ImpactError(
                    .failed, code: StoreFault.damaged,
                    "the local store \(path) is of another format (\(String(decoding: format, as: UTF8.self)))")
            }
        } else {
            let batch = StoreBatch()
            batch.put(StoreKey.format, Array(StoreKey.formatName.utf8))
            try write(batch, to: database)
        }
        return database
    }

    /// Renames the folder. Only the latest one is kept: it is for a look at what happened, not for use.
    private static func moveAside(_ path: String, reason: String) throws(ImpactError) {
        let url = URL(filePath: path)
        let folder = url.deletingLastPathComponent()
        let prefix = url.lastPathComponent + ".damaged-"
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        where name.hasPrefix(prefix) {
            try? FileManager.default.removeItem(at: folder.appending(path: name))
        }
        let aside = folder.appending(path: prefix + "\(Int(Date().timeIntervalSince1970))").path
        guard rename(path, aside) == 0 else {
            throw ImpactError(
                .failed, code: StoreFault.failed,
                "\(reason)\nand \(path) cannot be moved to \(aside): \(String(cString: strerror(errno)))")
        }
        Log.warning("state", "\(reason). Moved it to \(aside); the state is restored from the changelog")
    }

    /// Changes whenever the store was replaced by an empty one.
    package var generation: Int { generations.load(ordering: .acquiring) }

    /// Moves a store that proved damaged aside and goes on with an empty one. Cursors end with an error.
    ///
    /// - Parameter generation: of the store that is damaged; another one is left alone.
    package func replace(generation: Int, reason: String) throws(ImpactError) {
        try lock.alone { () throws(ImpactError) in
            guard generation == self.generation, database != nil else { return }
            endCursors()
            database = nil
            try Self.moveAside(path, reason: reason)
            database = try Self.open(path, options)
            isStuck.store(false, ordering: .releasing)
            generations.add(1, ordering: .acquiringAndReleasing)
        }
    }

    /// Opens the same store anew: RocksDB takes no more writes after a disk was full until it is opened again.
    package func reopen() throws(ImpactError) {
        try lock.alone { () throws(ImpactError) in
            endCursors()
            database = nil
            database = try Self.open(path, options)
            isStuck.store(false, ordering: .releasing)
        }
    }

    /// Closes the store; later calls throw `state_store_failed`.
    package func close() {
        lock.alone {
            endCursors()
            database = nil
        }
    }

    private func endCursors() {
        cursorLock.withLock {
            for cursor in cursors.values { cursor._withUnsafeGuaranteedRef { $0.release() } }
            cursors.removeAll()
        }
    }

    func end(_ cursor: StoreCursor) {
        // The iterator must be gone before the database can be closed, which takes the same lock first.
        cursorLock.withLock {
            cursor.release()
            cursors[ObjectIdentifier(cursor)] = nil
        }
    }

    func shared<Result>(_ body: (RocksDB) throws(ImpactError) -> Result) throws(ImpactError) -> Result {
        try lock.shared { () throws(ImpactError) in
            guard let database else {
                throw StoreFault.error("it is closed", path: path, doing: "using it")
            }
            return try body(database)
        }
    }
}

extension StateStore {
    /// Whether an error means that the store's content cannot be trusted.
    package static func isDamage(_ error: ImpactError) -> Bool { error.code == StoreFault.damaged }

    /// Whether an error means that the store was replaced by an empty one meanwhile.
    package static func isReplaced(_ error: ImpactError) -> Bool { error.code == StoreFault.replaced }

    /// Makes the batch part of the store. It survives the process; a power failure may lose the latest batches, whole
    /// and in their order.
    ///
    /// - Parameter generation: the store that the batch is for; nil for whichever is there.
    package func write(_ batch: StoreBatch, generation: Int? = nil) throws(ImpactError) {
        try shared { database throws(ImpactError) in
            if let generation, generation != self.generation {
                throw ImpactError(
                    .failed, code: StoreFault.replaced, "the local store \(path) was replaced by an empty one")
            }
            // RocksDB may wait for ever in a write that follows a failed one.
            if isStuck.load(ordering: .acquiring) {
                throw StoreFault.error("it takes no writes until it is opened anew", path: path, doing: "writing")
            }
            do throws(ImpactError) {
                try Self.write(batch, to: database)
            } catch {
                isStuck.store(true, ordering: .releasing)
                throw error
            }
        }
    }

    private static func write(_ batch: StoreBatch, to database: RocksDB) throws(ImpactError) {
        try database.call("writing") { rocksdb_write(database.database, database.write, batch.pointer, $0) }
    }

    /// How far the partition's records go; nil when nothing is known about the partition.
    package func checkpoint(of partition: Int32) throws(ImpactError) -> Checkpoint? {
        try shared { database throws(ImpactError) in
            guard let text = try database.get(StoreKey.checkpoint(partition)) else { return nil }
            guard let checkpoint = Checkpoint(text: String(decoding: text, as: UTF8.self)) else {
                throw ImpactError(
                    .failed, code: StoreFault.damaged,
                    "the local store \(path): the checkpoint of partition \(partition) is not readable")
            }
            return checkpoint
        }
    }

    /// The partitions with a checkpoint, ascending.
    package func partitions() throws(ImpactError) -> [Int32] {
        try shared { database throws(ImpactError) in
            let iterator = rocksdb_create_iterator_cf(database.database, database.read, database.family)
            defer { rocksdb_iter_destroy(iterator) }
            var found: [Int32] = []
            rocksdb_iter_seek_to_first(iterator)
            while rocksdb_iter_valid(iterator) != 0 {
                var count = 0
                let key = UnsafeRawBufferPointer(start: rocksdb_iter_key(iterator, &count), count: count)
                if key.first != 0 { break }
                if let partition = StoreKey.checkpointPartition(key) { found.append(partition) }
                rocksdb_iter_next(iterator)
            }
            try database.call("reading") { rocksdb_iter_get_error(iterator, $0) }
            return found
        }
    }

    /// The partition's records as of now.
    package func records(of partition: Int32) throws(ImpactError) -> StoreCursor {
        try shared { database throws(ImpactError) in
            let cursor = StoreCursor(self, database, partition)
            cursorLock.withLock { cursors[ObjectIdentifier(cursor)] = .passUnretained(cursor) }
            return cursor
        }
    }

    /// One user's record; nil when there is none.
    package func record(_ partition: Int32, user: [UInt8]) throws(ImpactError) -> [UInt8]? {
        try shared { database throws(ImpactError) in try database.get(StoreKey.recordPrefix(partition) + user) }
    }

    /// Forgets a partition.
    package func erase(_ partition: Int32) throws(ImpactError) {
        let batch = StoreBatch()
        batch.erase(partition)
        try write(batch)
    }

    /// Bytes of the files.
    package var fileBytes: Int {
        (try? shared { database throws(ImpactError) in database.property("rocksdb.total-sst-files-size") }) ?? 0
    }

    /// Bytes of memory that the store holds now: cache and write buffers.
    package var memoryBytes: Int {
        let names = ["rocksdb.block-cache-usage", "rocksdb.cur-size-all-mem-tables"]
        return
            (try? shared { database throws(ImpactError) in names.reduce(0) { $0 + database.property($1) } }) ?? 0
    }

    /// Users of all partitions, roughly.
    package var estimatedRecords: Int {
        (try? shared { database throws(ImpactError) in database.property("rocksdb.estimate-num-keys") }) ?? 0
    }

    /// Puts everything written into files: for tests and benchmarks.
    package func flush() throws(ImpactError) {
        try shared { database throws(ImpactError) in
            let options = rocksdb_flushoptions_create()
            defer { rocksdb_flushoptions_destroy(options) }
            rocksdb_flushoptions_set_wait(options, 1)
            try database.call("flushing") { rocksdb_flush(database.database, options, $0) }
        }
    }
}
