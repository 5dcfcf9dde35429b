import Base
import Events
import Features
import Foundation
import Pipeline
import Scoring
import Terminal

/// The tables of what grows in memory: processor time of parse, state and features an event, and bytes per user.
enum StateGrowth {
    /// - Parameters:
    ///   - specification: the features, as JSON.
    ///   - most: the largest count of users; powers of ten below it come first.
    ///   - perUser: events per user before the measurement.
    static func users(_ specification: [UInt8], most: Int, perUser: Int) throws -> RoundTable {
        let specification = try FeatureSpecification(json: specification)
        let plan = try plan(specification)
        var rows: [Measurement] = []
        var users = min(10_000, most)
        while true {
            let result = try measure(plan, users: users, warmUp: perUser * users, events: 1_000_000)
            add(result, "\(HumanNumber.short(Double(users))) users", &rows)
            if users == most { break }
            users = min(users * 10, most)
        }
        return RoundTable(
            "users",
            conditions: "users: in memory, 1M events measured after \(perUser) a user, \(plan.count) features, "
                + "\(specification.deduplicationIDs) ids per user",
            unit: "value", rows)
    }

    static func features() throws -> RoundTable {
        var rows: [Measurement] = []
        for count in [4, 16, 50, 100, 200] {
            let specification = try FeatureSpecification(json: Array(json(count).utf8))
            let result = try measure(plan(specification), users: 20_000, warmUp: 400_000, events: 400_000)
            add(result, "\(count) features", &rows)
        }
        return RoundTable(
            "features", conditions: "features: in memory, 20k users, 400k events measured after 20 a user",
            unit: "value", rows)
    }

    private static func plan(_ specification: FeatureSpecification) throws -> FeaturePlan {
        try FeaturePlan(specification, schema: specification.eventSchema(extraTypes: StageBenchmark.scoreEvents))
    }

    private static func add(_ result: Result, _ name: String, _ rows: inout [Measurement]) {
        let values = [
            ("state and features, ns", result.nanoseconds),
            ("memory per user, undo log included, bytes", result.memory),
            ("records per user, bytes", result.records), ("stored per user, bytes", result.stored),
        ]
        for (what, value) in values {
            var row = Measurement("\(name): \(what)")
            row.add(value, baseline: 1)
            rows.append(row)
        }
    }

    /// Features of all kinds over five windows.
    private static func json(_ count: Int) -> String {
        let types = ["page_view", "click", "ad_view", "add_to_cart", "purchase"]
        let windows = ["1d", "3d", "7d", "14d", "30d"]
        let aggregates = ["count", "sum", "recency", "max", "decayed_count", "count", "mean", "last"]
        let features = (0..<count).map { i -> String in
            let aggregate = aggregates[i % aggregates.count]
            var text = #"{"name":"f\#(i)","aggregate":"\#(aggregate)","events":["\#(types[i % types.count])"]"#
            switch aggregate {
            case "sum", "max", "mean": text += #","field":"value","window":"\#(windows[i / 8 % windows.count])""#
            case "count": text += #","window":"\#(windows[i / 8 % windows.count])""#
            case "decayed_count": text += #","half_life":"\#(i + 1)h""#
            case "last": text += #","field":"properties.history""#
            default: break
            }
            return text + "}"
        }
        return "{\"features\":[\(features.joined(separator: ","))]}"
    }

    struct Result {
        let nanoseconds: Double
        /// Bytes a user: all memory, the records alone, and key and record as the changelog stores them.
        let memory: Double
        let records: Double
        let stored: Double
    }

    private static func measure(_ plan: FeaturePlan, users: Int, warmUp: Int, events: Int) throws -> Result {
        let messages = try SyntheticMessages(users: users)
        let parsed = EventBatch(schema: plan.schema, capacity: 1_024)
        let state = PartitionState(plan: plan)
        let row = UnsafeMutablePointer<Float>.allocate(capacity: plan.count)
        defer { row.deallocate() }
        var nanoseconds: UInt64 = 0
        var done = 0
        while done < warmUp + events {
            messages.fill(parsed.capacity)
            parsed.removeAll()
            for i in 0..<messages.count {
                try parsed.append(
                    messages.value(i), key: messages.key(i), source: SourcePosition(offset: Int64(done + i)))
            }
            let start = StageWalk.processorTime()
            state.apply(parsed) { _, applied in
                if case .applied(let slot) = applied { state.features(slot, into: row) }
            }
            if done / 1_024 % 100 == 99 { state.commit() }
            if done >= warmUp { nanoseconds += StageWalk.processorTime() - start }
            done += messages.count
        }
        var stored = 0
        state.forEachUser { user, slot in stored += user.count + state.encoded(slot).count }
        let count = Double(max(1, state.userCount))
        return Result(
            nanoseconds: Double(nanoseconds) / Double(done - warmUp), memory: Double(state.memoryBytes) / count,
            records: Double(state.recordBytes) / count, stored: Double(stored) / count)
    }
}
