/// A worker's life, as a pure value: what happened goes in, where the worker stands comes out.
///
/// ```
///                     began
///          ┌──────────────────────────┐
///          │                          ▼
///   ─► .idle ◄───────ended─────── .open
///          │                          │
///          │ leave(why)               │ leave(why)
///          ▼                          ▼
///   .leaving(why) ◄──ended───── .closing(why)
///          │                          ▲
///          └──began (the last proof)──┘   only when it leaves of its own accord
/// ```
/// - idle: nothing was handed to the producer since the last commit;
/// - open: a transaction is under way;
/// - closing: the worker leaves, and its transaction is still open: committed when it leaves of its own accord (stopped, or
///   failed at something else), aborted when others have taken its place or memory is not to be trusted;
/// - leaving: nothing is open; `run()` ends with the reason.
///
/// A second reason replaces the first only when it weighs more: failed over fenced over renewed over stopped.
package struct WorkerLife: Sendable, Equatable {
    /// Why the worker leaves.
    package enum Departure: Sendable, Equatable {
        /// It was asked to.
        case stopped
        /// What it has in memory or where it reads is not to be trusted: it begins again from what is committed.
        case renewed
        /// Another producer or group member has taken its place.
        case fenced
        /// The process ends with this error.
        case failed(Failure)
    }

    /// An error that compares by what it says.
    package struct Failure: Sendable, Equatable {
        package let error: any Error

        package init(_ error: any Error) { self.error = error }

        package static func == (a: Failure, b: Failure) -> Bool { "\(a.error)" == "\(b.error)" }
    }

    package enum State: Sendable, Equatable { case idle, open, closing(Departure), leaving(Departure) }

    package enum Event: Sendable, Equatable {
        /// The producer began a transaction.
        case began
        /// The transaction is over, in whichever way.
        case ended
        case leave(Departure)
    }

    package private(set) var state = State.idle

    package init() {}

    package mutating func handle(_ event: Event) {
        switch (state, event) {
        case (.idle, .began): state = .open
        case (.leaving(let why), .began) where why.isVoluntary: state = .closing(why)
        case (.open, .ended): state = .idle
        case (.closing(let why), .ended): state = .leaving(why)
        case (.idle, .leave(let why)): state = .leaving(why)
        case (.open, .leave(let why)): state = .closing(why)
        case (.closing(let old), .leave(let new)) where new.weight > old.weight: state = .closing(new)
        case (.leaving(let old), .leave(let new)) where new.weight > old.weight: state = .leaving(new)
        case (.open, .began), (.closing, .began), (.leaving, .began), (.idle, .ended), (.leaving, .ended),
            (.closing, .leave), (.leaving, .leave):
            break
        }
    }

    /// Whether a transaction is under way.
    package var isOpen: Bool {
        switch state {
        case .open, .closing: true
        case .idle, .leaving: false
        }
    }

    /// Why the worker leaves; nil while it works.
    package var departure: Departure? {
        switch state {
        case .idle, .open: nil
        case .closing(let why), .leaving(let why): why
        }
    }

    /// Whether what is in memory may still be committed and kept: not when another has the place, nor when it is not to
    /// be trusted.
    package var mayCommit: Bool { departure?.isVoluntary ?? true }
}

extension WorkerLife.Departure {
    /// Whether the partitions are still this worker's, so that its last work may be committed.
    fileprivate var isVoluntary: Bool {
        switch self {
        case .stopped, .failed: true
        case .renewed, .fenced: false
        }
    }

    fileprivate var weight: Int {
        switch self {
        case .stopped: 0
        case .renewed: 1
        case .fenced: 2
        case .failed: 3
        }
    }
}
