import Base
import Foundation
import Synchronization

/// Threads that take partitions from a list, the longest first.
enum PartitionPool {
    /// - Parameters:
    ///   - threads: 0 is one per processor; never more than there are partitions.
    ///   - body: a thread's work: its number, the next partition for it, and whether to stop. Returns false when it was
    ///     stopped.
    /// - Returns: whether all work is complete.
    /// - Throws: the first failure; the other threads stop.
    static func run(
        _ spans: [PartitionSpan], threads: Int, progress: () -> Void, isStopped: @escaping @Sendable () -> Bool,
        body: @escaping @Sendable (Int, () -> PartitionSpan?, () -> Bool) throws -> Bool
    ) throws -> Bool {
        let wanted = threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
        let count = max(1, min(wanted, spans.count))
        let queue = SpanQueue(spans)
        let group = DispatchGroup()
        for number in 0..<count {
            group.enter()
            let thread = Thread {
                do {
                    let isDone = try body(number, { queue.next() }) { queue.isStopping || isStopped() }
                    if !isDone { queue.stop(nil) }
                } catch {
                    queue.stop(error)
                }
                group.leave()
            }
            thread.name = "partition-\(number)"
            thread.stackSize = 4 << 20
            thread.start()
        }
        while group.wait(timeout: .now() + .milliseconds(100)) == .timedOut { progress() }
        progress()
        if let failure = queue.failure { throw failure }
        return !queue.isStopping
    }
}

private final class SpanQueue: Sendable {
    private struct Content {
        var spans: [PartitionSpan]
        var failure: (any Error)?
        var isStopping = false
    }
    private let content: Mutex<Content>

    init(_ spans: [PartitionSpan]) {
        // Popped from the end: the longest first, so that the last to end is not the last to begin.
        content = Mutex(Content(spans: spans.sorted { ($0.length, $1.partition) < ($1.length, $0.partition) }))
    }

    func next() -> PartitionSpan? { content.withLock { $0.isStopping ? nil : $0.spans.popLast() } }
    func stop(_ error: (any Error)?) {
        content.withLock {
            $0.isStopping = true
            if let error, $0.failure == nil { $0.failure = error }
        }
    }
    var isStopping: Bool { content.withLock { $0.isStopping } }
    var failure: (any Error)? { content.withLock { $0.failure } }
}
