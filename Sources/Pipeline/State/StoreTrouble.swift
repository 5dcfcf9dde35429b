import Synchronization

/// A local store that does not take writes, over all partitions of a process: told when it begins and once a minute, mended
/// with growing waits. Any thread.
package final class StoreTrouble: Sendable {
    /// What is to be done about a failure.
    package struct Advice: Equatable, Sendable {
        package var tells: Bool
        package var mends: Bool

        package init(tells: Bool, mends: Bool) {
            self.tells = tells
            self.mends = mends
        }
    }

    private struct Content {
        var since: ContinuousClock.Instant?
        var told: ContinuousClock.Instant?
        var nextMend: ContinuousClock.Instant?
        var wait = Duration.milliseconds(500)
    }

    private let content = Mutex(Content())
    private static let longestWait = Duration.seconds(5)

    package init() {}

    /// A pass failed.
    package func failed(at now: ContinuousClock.Instant = .now) -> Advice {
        content.withLock { content in
            content.since = content.since ?? now
            let tells = content.told.map { now - $0 >= .seconds(60) } ?? true
            if tells { content.told = now }
            let mends = content.nextMend.map { now >= $0 } ?? true
            if mends {
                content.nextMend = now + content.wait
                content.wait = min(content.wait * 2, Self.longestWait)
            }
            return Advice(tells: tells, mends: mends)
        }
    }

    /// A pass succeeded: for how long none did, if any failed before.
    package func succeeded(at now: ContinuousClock.Instant = .now) -> Duration? {
        content.withLock { content in
            defer { content = Content() }
            return content.since.map { now - $0 }
        }
    }
}
