import Base
import Consumer
import Foundation
import Kafka
import Settings

/// Whether an input has got partitions since its first records: then users have events in two partitions, before and after,
/// and whoever reads it from the beginning counts each part alone. `topics grow` moves the state of the application that
/// has read them; another one, or one that was reset, has none to move.
package struct GrownInput: Equatable, Sendable {
    /// How many partitions it had.
    package var former: Int
    /// Keys at the partitions' beginnings that now belong to another partition, of so many.
    package var misplaced: Int
    package var keys: Int

    private static let recordsPerPartition: Int64 = 200
    /// Fewer keys may lie anywhere by chance.
    private static let least = 12

    /// - Parameter keys: of the first records of each partition, by its number.
    package init?(_ keys: [Int32: Set<[UInt8]>], partitions: Int) {
        let places = keys.flatMap { partition, keys in keys.map { (key: $0, partition: partition) } }
        guard partitions > 1, places.count >= Self.least else { return nil }
        func fits(_ partitioner: KeyPartition, _ place: (key: [UInt8], partition: Int32), _ count: Int) -> Bool {
            place.key.withUnsafeBytes { partitioner.partition(of: $0, among: count) == place.partition }
        }
        for partitioner in KeyPartition.allCases {
            let others = places.filter { !fits(partitioner, $0, partitions) }
            if others.isEmpty { return nil }
            for former in (1..<partitions).reversed() where others.allSatisfy({ fits(partitioner, $0, former) }) {
                // Of one partition every key is, also where a producer names it: then there must be records in others.
                if former == 1, !keys.contains(where: { $0.key > 0 && !$0.value.isEmpty }) { return nil }
                self.init(former: former, misplaced: others.count, keys: places.count)
                return
            }
        }
        return nil
    }

    private init(former: Int, misplaced: Int, keys: Int) {
        self.former = former
        self.misplaced = misplaced
        self.keys = keys
    }

    /// Looks at the first records of each partition.
    ///
    /// - Parameter starts: where the reading of partitions begins, if not at what the topic holds.
    package static func look(
        at topic: String, from starts: [TopicPartition: CommittedOffset] = [:], _ admin: Admin,
        _ properties: KafkaProperties, _ isStopped: () -> Bool
    ) throws(ImpactError) -> GrownInput? {
        let marks = try admin.watermarks(ofTopic: topic)
        var ranges: [Int32: Range<Int64>] = [:]
        for (number, marks) in marks.enumerated() {
            let first = max(marks.low, starts[TopicPartition(topic, Int32(number))]?.offset ?? marks.low)
            if marks.high > first { ranges[Int32(number)] = first..<min(marks.high, first + recordsPerPartition) }
        }
        guard marks.count > 1, !ranges.isEmpty else { return nil }
        var options = ConsumerOptions()
        options.fetchWaitMilliseconds = 10
        options.prefetchBytes = 8 << 20
        let reader = try BoundedReader(topic: topic, properties: properties, options: options, component: "start-check")
        defer { reader.close() }
        var keys: [Int32: Set<[UInt8]>] = [:]
        let end = ContinuousClock.now + .seconds(30)
        do {
            try reader.begin(ranges)
            // What an open transaction holds cannot be read now: what came is looked at.
            while ContinuousClock.now < end, !isStopped(),
                try reader.step({ message in
                    guard let key = message.keyBuffer, !key.isEmpty else { return }
                    keys[message.partition, default: []].insert(Array(key))
                })
            {}
        } catch let error as KafkaError {
            throw error.impactError(doing: "reading \(topic)")
        } catch {
            throw error as? ImpactError ?? ImpactError(.failed, code: "kafka_read", "reading \(topic): \(error)")
        }
        return GrownInput(keys, partitions: marks.count)
    }

    /// In words, for an error or a warning.
    package func text(_ topic: String) -> String {
        "\(topic) had \(former) partition\(former == 1 ? "" : "s") when its first records were written: \(misplaced) of \(keys) keys "
            + "at the partitions' beginnings belong to other partitions now, and users' events lie in two partitions, each "
            + "of which counts its part alone"
    }

    /// For an application that has read nothing yet.
    ///
    /// - Throws: `users_split`.
    package static func check(
        _ configuration: Configuration, _ layout: TopicLayout, _ admin: Admin, isAccepted: Bool, _ isStopped: () -> Bool
    ) throws(ImpactError) {
        let inputs = configuration.inputTopics.flatMap { topic in
            (0..<layout.inputPartitions).map { TopicPartition(topic, Int32($0)) }
        }
        do throws(ImpactError) {
            let committed = try admin.committed(
                ofGroup: configuration.applicationID, partitions: inputs, stable: false)
            // Offsets that 'reset' or another program has set bear no mark of ours: nothing was read from there yet.
            guard inputs.allSatisfy({ committed[$0].map { StateTie.Mark($0.metadata) == nil } ?? true }) else { return }
            for topic in configuration.inputTopics {
                let found = try look(
                    at: topic, from: committed, admin, configuration.kafkaProperties(client: "consumer"), isStopped)
                guard let found else { continue }
                guard !isAccepted else {
                    Log.warning("pipeline", found.text(topic))
                    continue
                }
                throw ImpactError(
                    .failed, code: "users_split",
                    "\(found.text(topic)). \(configuration.applicationID) would begin there. Bring the events into a new topic "
                        + "of that many partitions, in order ('impactiq load' of an export), or say 'impactiq run "
                        + "--split-users' once to begin nevertheless: features of these users are too small until the "
                        + "windows are over")
            }
        } catch {
            if error.code == "users_split" { throw error }
            Log.warning("pipeline", "whether the inputs have grown was not looked at: \(error.message)")
        }
    }
}
