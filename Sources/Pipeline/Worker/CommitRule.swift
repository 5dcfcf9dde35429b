/// When the open transaction is committed, as a pure value.
///
/// ```
///   age:   0 ────────── commit.interval.ms ────────────────────── commit.interval.max.ms
///          └─ not yet ─┘└─ as long as the lag would fill another ─┘└─ always
///                         transaction of this size
/// ```
/// Without lag a transaction is committed as set. Under lag nobody sees the difference: an event that has waited behind
/// as many others as the transaction holds waits longer for its turn than for its commit. So the transaction grows, and
/// its fixed price (two round trips, the markers, the flush) is paid less often. The comparison is made anew all the
/// time, so the first transaction that meets the end of the lag is committed at once.
///
/// What is open stays within bounds, lag or not. An interval of 0 commits after every batch.
package struct CommitRule: Sendable, Equatable {
    /// What is open.
    package struct Size: Sendable, Equatable {
        /// Messages taken since the last commit.
        package var messages: Int
        /// Bytes of scores handed to the producer.
        package var outputBytes: Int
        /// Bytes of the records as they were before, for a rollback.
        package var undoBytes: Int

        package init(messages: Int, outputBytes: Int, undoBytes: Int) {
            self.messages = messages
            self.outputBytes = outputBytes
            self.undoBytes = undoBytes
        }
    }

    package enum Decision: Sendable, Equatable {
        case commit
        /// Ask again after this time.
        case wait(Duration)
    }

    /// A worker's transaction that has one of these is committed.
    package static let bounds = Size(messages: 1 << 20, outputBytes: 128 << 20, undoBytes: 128 << 20)
    /// How often the lag is looked at while a transaction grows.
    package static let look = Duration.milliseconds(10)

    package let interval: Duration
    package let longest: Duration

    /// - Parameter longest: not used when it is shorter than the interval.
    package init(intervalMilliseconds: Int, longestMilliseconds: Int) {
        interval = .milliseconds(intervalMilliseconds)
        longest = .milliseconds(max(intervalMilliseconds, longestMilliseconds))
    }

    package static func isFull(_ size: Size) -> Bool {
        size.messages >= bounds.messages || size.outputBytes >= bounds.outputBytes || size.undoBytes >= bounds.undoBytes
    }

    /// - Parameters:
    ///   - age: since the transaction began.
    ///   - lag: messages that can be read and were not taken yet; nil when unknown. Asked only when it matters.
    package func decide(age: Duration, size: Size, lag: () -> Int?) -> Decision {
        if Self.isFull(size) || age >= longest || interval == .zero { return .commit }
        if age < interval { return .wait(interval - age) }
        guard let lag = lag(), lag > 0, lag >= size.messages else { return .commit }
        return .wait(min(Self.look, longest - age))
    }
}
