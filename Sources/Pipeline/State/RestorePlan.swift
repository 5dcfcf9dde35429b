import Kafka
import StateStore

/// Where a partition's state comes from: the local store and the changelog's tail, or the whole changelog.
///
/// The local store is used only when the changelog proves that its tail holds every change since.
package enum RestorePlan: Equatable {
    /// Load the local store, then replay from this offset.
    case local(from: Int64)
    /// Nothing is stored locally.
    case changelog
    /// What is stored locally is of no use; the reason is for the log.
    case rebuild(String)

    /// - Parameters:
    ///   - marks: the changelog's first offset and its end, now.
    ///   - firstAfter: the first offset of the changelog written after the checkpoint, by the records' times, or the
    ///     end; nil when the broker cannot say.
    ///   - now: milliseconds since 1970.
    ///   - tombstoneMilliseconds: `delete.retention.ms` of the changelog.
    package static func decide(
        _ checkpoint: Checkpoint?, topic: String, fingerprint: UInt64, marks: Watermarks, firstAfter: Int64?,
        now: Int64, tombstoneMilliseconds: Int64
    ) -> RestorePlan {
        guard let checkpoint else { return .changelog }
        if checkpoint.topic != topic { return .rebuild("it is of \(checkpoint.topic)") }
        if checkpoint.fingerprint != fingerprint { return .rebuild("it was kept for other features") }
        if checkpoint.start != marks.low {
            return .rebuild(
                "the changelog begins at offset \(marks.low) now, at \(checkpoint.start) then: records were deleted")
        }
        if checkpoint.offset > marks.high {
            return .rebuild(
                "it goes up to offset \(checkpoint.offset), the changelog ends at \(marks.high): the topic was made anew"
            )
        }
        if let firstAfter, firstAfter < checkpoint.offset {
            return .rebuild(
                "offset \(firstAfter) of the changelog is younger than the store, which goes up to "
                    + "\(checkpoint.offset): the topic was made anew")
        }
        // Compaction drops a tombstone that old: the tail might no longer say who was deleted. A tenth in reserve for
        // clocks that differ and for the time that restoring takes.
        let age = now - checkpoint.time
        if age > tombstoneMilliseconds - tombstoneMilliseconds / 10 {
            return .rebuild(
                "it is \(age / 60_000) minutes old, and tombstones may be gone by now (delete.retention.ms)")
        }
        if age < -Self.clockSlack { return .rebuild("it is of the future by this machine's clock") }
        return .local(from: checkpoint.offset)
    }

    /// How far the clocks of this machine, the broker and another member may differ, milliseconds.
    package static let clockSlack: Int64 = 300_000
}
