import Base
import Consumer
import Kafka
import Settings

/// Poison protection of one worker: notes what it handles, and says which messages are to be handled alone or not at all
/// (``PoisonNotes``).
final class Quarantine {
    /// What the process knows; nil without poison protection.
    private let notes: PoisonNotes?
    /// Where this worker says what it is handling.
    private let slot: PoisonSlot?
    private let topics: [String]
    private let component: String

    init(_ notes: PoisonNotes?, worker: Int, topics: [String], component: String) {
        self.notes = notes
        slot = notes?.slot(worker: worker)
        self.topics = topics
        self.component = component
    }

    /// Whether messages are looked at one by one in this batch.
    var isAlert: Bool { notes?.isAlert == true }

    /// Notes a run of messages before it is handled.
    @inline(__always)
    func note(_ topic: Int32, _ partition: Int32, from first: Int64, through last: Int64) {
        slot?.note(topic, partition, from: first, through: last)
    }

    /// Nothing is being handled: what happens now is no message's fault.
    func clear() { slot?.clear() }

    /// What is known against this message.
    func suspect(_ message: borrowing Message) -> PoisonRange? {
        guard let suspect = notes?.suspect(max(0, message.topic), message.partition, message.offset) else { return nil }
        if suspect.isPoison {
            Log.error(
                component,
                "\(topics[Int(max(0, message.topic))]) [\(message.partition)] offset \(message.offset): the process "
                    + "died \(suspect.deaths) times while it handled this message; it goes to the dead letter as poison"
            )
        }
        return suspect
    }

    /// From here on one message is handled alone: if the process dies now, it is this one's.
    func isolate(_ suspect: PoisonRange) {
        slot?.clear()
        slot?.note(
            suspect.topic, suspect.partition, from: suspect.first, through: suspect.last, deaths: suspect.deaths)
    }

    /// After a commit: what lies before it did no harm.
    func forget(before positions: some Sequence<ReadPositions>) {
        guard let notes, notes.isAlert else { return }
        for positions in positions {
            let known = positions.known
            for (topic, partition) in positions.partitions.enumerated() {
                guard let offset = known[partition] else { continue }
                notes.passed(Int32(topic), partition.partition, committed: offset)
            }
        }
    }
}

extension PoisonNotes {
    /// The notes of this process, unless the configuration wants none. Without them the pipeline works all the same.
    static func ofProcess(_ configuration: Configuration, _ identity: ProcessIdentity) -> PoisonNotes? {
        guard configuration.protectsFromPoison else { return nil }
        do {
            let notes = try PoisonNotes(
                path: "\(StateFolder.path(configuration))/poison-\(identity.name).notes",
                workers: configuration.workers,
                topics: configuration.inputTopics)
            CrashMark.install(at: notes.crashPlace)
            if notes.isAlert {
                Log.warning(
                    "pipeline",
                    "the last run ended while it handled messages: these are handled one at a time now, to find one that "
                        + "may have caused it")
            }
            return notes
        } catch {
            Log.warning("pipeline", "\(error.message); running without poison protection")
            return nil
        }
    }
}
