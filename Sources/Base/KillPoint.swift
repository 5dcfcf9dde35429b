import Foundation
import Synchronization

/// A named step of the commit and restore protocol at which a test makes the process kill itself.
///
/// `IMPACTIQ_KILL_POINT=after-send-offsets:3` ends the process with SIGKILL the third time it is there: nothing is
/// flushed, closed or told to anyone, as with a power cut of the process. Steps stand at batches and commits, never at
/// single events, and cost one load when no test is running.
///
/// `Tests/IntegrationTests/KillPointTests` kills at every step and compares what was published with an undisturbed run;
/// a step that no test reaches fails it.
public enum KillPoint: String, CaseIterable, Sendable {
    // Start: the identity is taken over, which ends the open transaction of the process killed before.
    case afterStart = "after-start"
    // Assignment and restore.
    case afterCommittedOffsets = "after-committed-offsets"
    case afterAssigned = "after-assigned"
    case afterRestoreBatch = "after-restore-batch"
    case beforeResume = "before-resume"
    case afterResume = "after-resume"
    // Work on a batch.
    case afterBegin = "after-begin"
    case afterDeadLetter = "after-dead-letter"
    case afterScores = "after-scores"
    // The commit.
    case beforeChangelog = "before-changelog"
    case afterChangelog = "after-changelog"
    case beforeSendOffsets = "before-send-offsets"
    case afterSendOffsets = "after-send-offsets"
    /// At some moment of the five milliseconds after the commit was asked for.
    case duringCommit = "during-commit"
    case afterCommit = "after-commit"
    case afterAccept = "after-accept"
    // A pass into the local copy: before its first batch, after a batch is written, after the claim is written.
    case checkpointBegin = "checkpoint-begin"
    case checkpointBatch = "checkpoint-batch"
    case checkpointEnd = "checkpoint-end"
    // Partitions that go to others, and the end.
    case beforeRevokeCommit = "before-revoke-commit"
    case afterRevokeCommit = "after-revoke-commit"
    case afterDrop = "after-drop"
    case beforeLeave = "before-leave"
    case afterLeave = "after-leave"
    // The log store's transaction.
    case logStoreAfterRows = "log-store-after-rows"
    case logStoreBeforeCommit = "log-store-before-commit"
    case logStoreAfterCommit = "log-store-after-commit"

    /// The variable that arms a step: its name, or its name, a colon and which time counts.
    public static let variable = "IMPACTIQ_KILL_POINT"

    private static let armed = armedStep()
    private static let visits = Atomic<Int>(0)

    /// Says that the process is at this step, and ends it when this is the time.
    @inline(__always)
    public func reached() {
        guard let armed = Self.armed else { return }
        if armed.point == self { visit(armed.count) }
    }

    /// The same, but the process goes on for up to so many milliseconds: it dies in the middle of what follows.
    public func reached(within milliseconds: Double) {
        guard let armed = Self.armed, armed.point == self, count() == armed.count else { return }
        let delay = UInt32(Double.random(in: 0...milliseconds) * 1_000)
        Thread.detachNewThread {
            usleep(delay)
            Self.end(self)
        }
    }

    private func visit(_ last: Int) {
        if count() == last { Self.end(self) }
    }

    private func count() -> Int { Self.visits.wrappingAdd(1, ordering: .relaxed).newValue }

    private static func end(_ point: KillPoint) {
        Log.warning("kill-point", "\(point.rawValue): killing this process, as \(variable) asks")
        kill(getpid(), SIGKILL)
        // The signal needs no more than a moment.
        while true { pause() }
    }

    private static func armedStep() -> (point: KillPoint, count: Int)? {
        guard let text = ProcessInfo.processInfo.environment[variable], !text.isEmpty else { return nil }
        if let step = parse(text) { return step }
        // A test that arms nothing would pass for the wrong reason.
        Log.error("kill-point", "\(variable)=\(text): write STEP or STEP:COUNT, STEP as in KillPoint.swift")
        exit(ImpactError.Kind.badConfiguration.rawValue)
    }

    public static func parse(_ text: String) -> (point: KillPoint, count: Int)? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let point = KillPoint(rawValue: String(parts[0])) else { return nil }
        guard parts.count == 2 else { return (point, 1) }
        guard let count = Int(parts[1]), count > 0 else { return nil }
        return (point, count)
    }
}
