import Base
import Consumer
import Engine
import Foundation
import Kafka
import Settings

/// Poison protection; see ``PoisonSuspects``.
extension Worker {
    /// Whether messages are looked at one by one in this batch.
    var isAlert: Bool { context.poison?.isAlert == true }

    /// What is known against this message.
    func suspect(_ message: borrowing Message) -> PoisonRange? {
        guard let suspect = context.poison?.suspect(max(0, message.topic), message.partition, message.offset) else {
            return nil
        }
        if suspect.isPoison {
            Log.error(
                component,
                "\(consumer.topics[Int(max(0, message.topic))]) [\(message.partition)] offset \(message.offset): the process "
                    + "died \(suspect.deaths) times while it handled this message; it goes to the dead letter as poison"
            )
        }
        return suspect
    }

    /// From here on one message is handled alone: if the process dies now, it is this one's.
    func isolate(_ suspect: PoisonRange, in shard: Shard) {
        poison?.clear()
        poison?.note(
            suspect.topic, suspect.partition, from: suspect.first, through: suspect.last, deaths: suspect.deaths)
        processor.begin(shard.content)
    }

    /// After a commit: what lies before it did no harm.
    func forgetSuspects() {
        guard let notes = context.poison, notes.isAlert else { return }
        for shard in shards.values {
            let known = shard.positions.known
            for (topic, partition) in shard.positions.partitions.enumerated() {
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
                path: "\(StateFolder.path(configuration))/poison-\(identity.name).notes", workers: configuration.workers,
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
