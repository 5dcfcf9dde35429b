import Foundation
import Synchronization

/// A request to stop, with the time until which work in hand may go on. Set from any thread, once or more.
package final class LogStoreStop: Sendable {
    /// Nanoseconds of the monotonic clock; `UInt64.max` while nobody has asked.
    private let deadline = Atomic<UInt64>(.max)

    package init() {}

    static func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Asks to stop within `seconds`. An earlier deadline stays.
    package func stop(within seconds: Double) {
        let asked = Self.now() &+ UInt64(max(0, min(seconds, 1e6)) * 1e9)
        // Not Atomic.min: in Swift 6.3.1 it compares unsigned values as signed ones.
        var seen = deadline.load(ordering: .relaxed)
        while asked < seen {
            let (exchanged, original) = deadline.weakCompareExchange(
                expected: seen, desired: asked, successOrdering: .releasing, failureOrdering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }

    package var isStopping: Bool { deadline.load(ordering: .acquiring) != .max }

    /// True when the time for work in hand is over too.
    package var isPastDeadline: Bool { Self.now() >= deadline.load(ordering: .acquiring) }

    /// Seconds left; infinity while nobody has asked to stop.
    package var secondsLeft: Double {
        let deadline = deadline.load(ordering: .acquiring)
        if deadline == .max { return .infinity }
        let now = Self.now()
        return deadline > now ? Double(deadline - now) / 1e9 : 0
    }

    /// Sleeps, but no longer than until somebody asks to stop.
    package func sleep(seconds: Double) {
        let end = Self.now() &+ UInt64(seconds * 1e9)
        while !isStopping, Self.now() < end {
            Thread.sleep(forTimeInterval: min(0.05, Double(end &- Self.now()) / 1e9))
        }
    }

    /// Sleeps though somebody has asked to stop, but not beyond the deadline.
    func sleepPastStop(seconds: Double) { Thread.sleep(forTimeInterval: min(seconds, secondsLeft)) }
}
