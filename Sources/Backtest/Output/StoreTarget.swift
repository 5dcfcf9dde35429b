import Base
import Engine
import Events
import Sinks
import Synchronization

/// A log store, whose table `scores` holds this replay alone.
///
/// The partitions' threads share one connection, one at a time. `@unchecked Sendable`: the lock guards the store.
package final class StoreTarget: ReplayTarget, @unchecked Sendable {
    package let name: String
    private let store: any LogStore
    private let lock = Mutex<Void>(())

    package init(_ address: LogStoreAddress) throws(ImpactError) {
        name = address.description
        store = try Self.explained { () throws(LogStoreError) in try address.make() }
    }

    package func prepare(partitions: [Int32], isResumed: Bool) throws {
        try Self.explained { () throws(LogStoreError) in try store.open(stop: LogStoreStop()) }
        let rows = try Self.explained { () throws(LogStoreError) in try store.rowCount(user: nil) }
        guard rows == 0 || isResumed else {
            throw ImpactError(
                .badInput, code: "output_not_empty",
                "\(name) holds \(rows) scores already: give --out a place of its own, so that it holds this replay alone"
            )
        }
    }

    package func sink(for span: PartitionSpan, resumingAt length: Int?) -> any ReplaySink { StoreSink(self) }

    package func complete(_ partitions: [Int32]) { store.close() }

    fileprivate func append(_ batch: ScoreBatch) throws {
        try lock.withLock { _ in
            _ = try Self.explained { () throws(LogStoreError) in try store.append(batch) }
        }
    }

    private static func explained<R>(_ body: () throws(LogStoreError) -> R) throws(ImpactError) -> R {
        do throws(LogStoreError) { return try body() } catch { throw error.impactError }
    }
}

/// Rows that are there already, from a try that was killed, are left as they are: they are the same.
private final class StoreSink: ReplaySink {
    private let target: StoreTarget
    private let batch = ScoreBatch(source: FollowedTopic(cluster: "replay", topic: "replay"), capacity: 10_000)
    private let builder: ScoreBatchBuilder

    init(_ target: StoreTarget) {
        self.target = target
        builder = ScoreBatchBuilder(batch, erasesOnTombstone: false, counters: LogStoreCounters())
    }

    func write(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) throws {
        for record in records {
            while builder.add(partition: 0, offset: 0, key: nil, payload: record.value(in: bytes)) == .needsFlush {
                try flush()
            }
        }
    }

    private func flush() throws {
        if let rejection = batch.rejections.first {
            throw ImpactError(.failed, code: "score_unreadable", "a score does not fit the table: \(rejection.message)")
        }
        // Positions are the checkpoint's business here.
        batch.advances = []
        if !batch.rows.isEmpty { try target.append(batch) }
        batch.removeAll()
    }

    func settle() throws -> Int {
        try flush()
        return 0
    }

    func finish() throws { try flush() }
}
