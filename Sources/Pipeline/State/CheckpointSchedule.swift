import StateStore

/// What to do next for one partition's local copy, as a pure value: times, answers and results in, the next step out.
///
/// ```
///          due and changed            answered, after a commit
///   idle ──────────────────► asking ─────────────────────────► writing ──last piece──► finishing ──all written──► idle
///    ▲                         │ no answer                        │                        │
///    └─────────────────────────┴──────────────────────────────────┴── a write failed ──────┘  (all users next time)
/// ```
/// A partition that goes gets one more pass, whatever is due (``Event/last(_:)``): at once when none is under way, else
/// behind the one that is.
package struct CheckpointSchedule: Sendable, Equatable {
    package typealias Instant = ContinuousClock.Instant

    package enum Phase: Sendable, Equatable {
        case idle
        case asking
        /// The next segment to write, and the marks that the pass will claim.
        case writing(segment: Int, CheckpointTicket.Marks)
        case finishing
    }

    package enum Event: Sendable, Equatable {
        /// Between commits; `isProven` when a commit has just shown that the partition is still this member's.
        case time(Instant, isProven: Bool)
        /// The answer to ``Action/takeAnswer``; `isSameStore` when the store is the one of the pass before.
        case answered(CheckpointTicket.Marks?, isSameStore: Bool, Instant)
        /// The answer is not there yet.
        case waiting
        /// Segments were written up to this one, of so many.
        case wrote(upTo: Int, of: Int)
        /// All that was handed over is in the store.
        case written(isSameStore: Bool, Instant)
        case failed(Instant)
        /// The partition goes: a last pass with these marks.
        case last(CheckpointTicket.Marks, isSameStore: Bool, Instant)
        /// A commit changed users.
        case changed
        /// The store may lack any user.
        case lacksAny
        /// Users left memory for the store.
        case spilled
    }

    package enum Action: Sendable, Equatable {
        case none
        /// Ask for the changelog's end.
        case ask
        /// Look whether the answer is there: ``Event/answered(_:isSameStore:_:)`` or ``Event/waiting``.
        case takeAnswer
        /// Begin a pass: removals first.
        case begin
        /// Write users from this segment on: every user, or those with a mark.
        case write(segment: Int, all: Bool)
        /// Close the pass: the checkpoint with these marks.
        case close(CheckpointTicket.Marks)
        /// Look whether everything is written: ``Event/written(isSameStore:_:)`` or ``Event/failed(_:)``.
        case takeResult
    }

    package private(set) var phase = Phase.idle
    /// Whether a commit changed users since the last pass began.
    package private(set) var hasChanges = false
    /// The store lacks users that bear no mark: a write failed, or the store is another one.
    package private(set) var needsAll = false
    /// Whether the store has users whom memory does not hold.
    package private(set) var hasSpilled = false
    /// The store was replaced while it alone had some users: the partition must be restored anew.
    package private(set) var isLost = false
    /// The marks of the pass to begin when the one at hand is over.
    private var last: CheckpointTicket.Marks?
    private var due: Instant
    /// When an unchanged partition's checkpoint is renewed: an old one is worth nothing (``RestorePlan``).
    private var renewal: Instant
    private let interval: Duration
    private let renewalInterval: Duration

    /// - Parameters:
    ///   - interval: between two passes.
    ///   - renewalInterval: after this time an unchanged partition is checkpointed too.
    ///   - firstAfter: when the first pass is due.
    package init(now: Instant, firstAfter: Duration, interval: Duration, renewalInterval: Duration) {
        self.interval = interval
        self.renewalInterval = renewalInterval
        due = now + firstAfter
        renewal = now + renewalInterval
    }

    /// Whether a pass is under way.
    package var isWorking: Bool {
        switch phase {
        case .idle, .asking: false
        case .writing, .finishing: true
        }
    }

    package mutating func handle(_ event: Event) -> Action {
        switch event {
        case .time(let now, let isProven): return next(now, isProven)
        case .answered(let marks, let isSameStore, let now):
            guard phase == .asking else { return .none }
            guard let marks else { return postpone(now) }
            return begin(marks, isSameStore, now)
        case .wrote(let segment, let count):
            guard case .writing(_, let marks) = phase else { return .none }
            guard segment == count else {
                phase = .writing(segment: segment, marks)
                return .none
            }
            phase = .finishing
            return .close(marks)
        case .written(let isSameStore, let now):
            guard phase == .finishing else { return .none }
            needsAll = false
            phase = .idle
            due = now + interval
            renewal = now + renewalInterval
            guard let marks = last else { return .none }
            last = nil
            return hasChanges ? begin(marks, isSameStore, now) : .none
        case .failed(let now):
            needsAll = true
            last = nil
            return postpone(now)
        case .last(let marks, let isSameStore, let now):
            if isWorking {
                last = marks
                return .none
            }
            return hasChanges ? begin(marks, isSameStore, now) : .none
        case .changed: hasChanges = true
        case .lacksAny:
            hasChanges = true
            needsAll = true
        case .spilled: hasSpilled = true
        case .waiting: break
        }
        return .none
    }

    private mutating func next(_ now: Instant, _ isProven: Bool) -> Action {
        switch phase {
        case .idle:
            guard hasChanges ? now >= due : now >= renewal else { return .none }
            phase = .asking
            return .ask
        case .asking: return isProven ? .takeAnswer : .none
        case .writing(let segment, _): return .write(segment: segment, all: needsAll)
        case .finishing: return .takeResult
        }
    }

    private mutating func begin(_ marks: CheckpointTicket.Marks, _ isSameStore: Bool, _ now: Instant) -> Action {
        if !isSameStore {
            if hasSpilled {
                isLost = true
                return postpone(now)
            }
            needsAll = true
        }
        phase = .writing(segment: 0, marks)
        hasChanges = false
        return .begin
    }

    private mutating func postpone(_ now: Instant) -> Action {
        hasChanges = true
        phase = .idle
        due = now + interval
        return .none
    }
}
