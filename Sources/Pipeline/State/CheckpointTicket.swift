import Base
import StateStore
import Synchronization

/// The right to write one partition into the local store; the partition's next owner in this process takes it away.
///
/// Shared by the owner, which asks and hands over, and the store's thread, which answers and writes.
package final class CheckpointTicket: Sendable {
    /// How far the changelog went when asked.
    package struct Marks: Sendable, Equatable {
        /// Everything before this offset was committed or aborted then.
        package var stable: Int64
        /// The changelog's first offset.
        package var start: Int64
        /// The clock before the question, milliseconds since 1970.
        package var time: Int64

        package init(stable: Int64, start: Int64, time: Int64) {
            self.stable = stable
            self.start = start
            self.time = time
        }
    }

    private struct Content {
        var marks: Marks?
        var isAsking = false
        /// Batches handed over and not written yet.
        var pending = 0
        var failure: ImpactError?
    }

    let partition: Int32
    private let content = Mutex(Content())
    /// Held during a write, so that the owner's questions never wait for the disk.
    private let isRevoked = Mutex(false)

    init(_ partition: Int32) { self.partition = partition }

    /// Ends the right; waits for a write that is under way.
    func revoke() { isRevoked.withLock { $0 = true } }

    /// Whether another owner has taken the right away.
    package var isEnded: Bool { isRevoked.withLock { $0 } }

    // MARK: The owner's side

    /// Notes a question; false when one is under way, or an answer waits: an older end is a valid one, and whoever asked for
    /// it still needs it.
    func beginAsking() -> Bool {
        content.withLock { content in
            if content.isAsking || content.marks != nil { return false }
            content.isAsking = true
            return true
        }
    }

    package var isAsking: Bool { content.withLock { $0.isAsking } }

    /// Whether an answer waits to be taken.
    package var isAnswered: Bool { content.withLock { $0.marks != nil } }

    /// The answer, once; nil when the broker did not give one.
    func takeMarks() -> Marks? {
        content.withLock { content in
            defer { content.marks = nil }
            return content.marks
        }
    }

    /// Whether all that was handed over is written, or given up.
    var isIdle: Bool { content.withLock { $0.pending == 0 } }

    func addPending() { content.withLock { $0.pending += 1 } }

    /// Why a write did not succeed, once.
    func takeFailure() -> ImpactError? {
        content.withLock { content in
            defer { content.failure = nil }
            return content.failure
        }
    }

    // MARK: The store's side

    func answer(_ marks: Marks?) {
        content.withLock { content in
            content.marks = marks
            content.isAsking = false
        }
    }

    /// Writes the batch unless the right has ended, or an earlier write failed: what follows may rest on it.
    func write(_ batch: StoreBatch, to store: StateStore, generation: Int) {
        var failure = content.withLock { $0.failure }
        isRevoked.withLock { isRevoked in
            guard !isRevoked, failure == nil else { return }
            do throws(ImpactError) { try store.write(batch, generation: generation) } catch { failure = error }
        }
        content.withLock { content in
            content.failure = failure
            content.pending -= 1
        }
    }
}
