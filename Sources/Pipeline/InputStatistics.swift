import Base
import Engine
import Events
import Features
import Settings
import Synchronization

/// What the workers have seen of the events beyond their count: the types, and how many events that is known of.
package final class InputStatistics: Sendable {
    private struct Seen {
        var types: UInt64 = 0
        var events = 0
    }

    /// Of workers that live, and of the lives before.
    private let values = Mutex<[String: Seen]>([:])

    package init() {}

    func note(_ worker: String, _ processor: Processor, _ metrics: PipelineMetrics) {
        processor.batch.takeUnusableValues { field, count in
            metrics.unusable.add(count, processor.schema.fields[field].path)
        }
        values.withLock {
            // A worker that joined anew counts from zero again.
            let isSame = processor.appliedEvents >= $0[worker]?.events ?? 0
            if !isSame, let old = $0[worker] { $0[worker + " before"] = old }
            $0[worker] = Seen(types: processor.seenTypes, events: processor.appliedEvents)
        }
    }

    /// Types of `score.events` that no event had, once `events` were seen; nil before.
    ///
    /// - Parameter types: the schema's types by number.
    package func neverSeen(_ scoreEvents: [String], types: [String], after events: Int) -> [String]? {
        let (seen, count) = values.withLock { values in
            (values.values.reduce(UInt64(0)) { $0 | $1.types }, values.values.reduce(0) { $0 + $1.events })
        }
        guard count >= events else { return nil }
        return scoreEvents.filter { type in
            guard let number = types.firstIndex(of: type), number < 64 else { return true }
            return seen & (1 << UInt64(number)) == 0
        }
    }

    /// The types that were seen, and whether there were others.
    package func seen(_ types: [String]) -> (types: [String], others: Bool) {
        let seen = values.withLock { $0.values.reduce(UInt64(0)) { $0 | $1.types } }
        return (types.indices.filter { $0 < 63 && seen & (1 << UInt64($0)) != 0 }.map { types[$0] }, seen >> 63 == 1)
    }
}

/// Says once what the events of a running pipeline are like, where that is not what the configuration expects.
package struct InputRemarks {
    private let scoreEvents: [String]
    private let types: [String]
    private var saidFields: Set<String> = []
    private var hasLooked = false
    /// Events after which a type that was not seen is said.
    package static let events = 1_000

    package init(_ application: Application) {
        scoreEvents = application.context.configuration.scoreEvents
        types = application.plan.schema.types
    }

    package init(scoreEvents: [String], types: [String]) {
        self.scoreEvents = scoreEvents
        self.types = types
    }

    /// What is new since the last call.
    package mutating func take(_ context: WorkerContext) -> [String] {
        take(context.inputStatistics, unusable: context.metrics.unusable.byLabel)
    }

    package mutating func take(_ input: InputStatistics, unusable: [String: Int]) -> [String] {
        var remarks: [String] = []
        for (field, count) in unusable.sorted(by: { $0.key < $1.key }) where saidFields.insert(field).inserted {
            remarks.append(
                "\(field): \(count) value\(count == 1 ? "" : "s") of a kind that no feature can use, such as a text where a "
                    + "number is wanted; they count as missing (the events live; further ones are in the counts)")
        }
        guard !hasLooked, let missing = input.neverSeen(scoreEvents, types: types, after: Self.events) else {
            return remarks
        }
        hasLooked = true
        guard !missing.isEmpty else { return remarks }
        let seen = input.seen(types)
        for type in missing {
            let hint = NearestName.find(type, among: seen.types).map { "; did you mean '\($0)'?" } ?? ""
            remarks.append(
                "no event of type \(type) (score.events) among the first \(Self.events) events\(hint.isEmpty ? ";" : hint) types seen: "
                    + (seen.types + (seen.others ? ["others that no feature names"] : [])).joined(separator: ", "))
        }
        return remarks
    }
}
