import Base
import Sinks
import Synchronization

/// A user's last scores and predictions from the log store, for a page: one connection of its own, one question at a time.
package final class ScoreHistory: Sendable {
    /// Open or not; only under the lock.
    private final class Reader: @unchecked Sendable {
        let store: any LogStore

        init(_ store: any LogStore) { self.store = store }
    }

    private let make: @Sendable () throws(LogStoreError) -> any LogStore
    private let reader = Mutex<Reader?>(nil)

    /// - Parameter make: makes the store, closed.
    package init(make: @escaping @Sendable () throws(LogStoreError) -> any LogStore) { self.make = make }

    /// - Throws: what the store says; it is opened anew at the next question.
    func scores(ofUser user: String, limit: Int) throws(LogStoreError) -> [StoredScore] {
        try ask { store throws(LogStoreError) in try store.scores(ofUser: user, limit: limit) }
    }

    func predictions(ofUser user: String, limit: Int) throws(LogStoreError) -> [StoredPrediction] {
        try ask { store throws(LogStoreError) in try store.predictions(ofUser: user, limit: limit) }
    }

    func append(predictions: [StoredPrediction]) throws(LogStoreError) {
        try ask { store throws(LogStoreError) in try store.append(predictions: predictions) }
    }

    private func ask<Answer: Sendable>(
        _ question: (any LogStore) throws(LogStoreError) -> Answer
    ) throws(LogStoreError) -> Answer {
        try reader.withLock { reader throws(LogStoreError) in
            let open: Reader
            if let reader {
                open = reader
            } else {
                open = Reader(try make())
                reader = open
            }
            do throws(LogStoreError) {
                try open.store.open(stop: LogStoreStop())
                return try question(open.store)
            } catch {
                open.store.close()
                throw error
            }
        }
    }
}
