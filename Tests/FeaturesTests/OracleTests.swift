import Base
import Events
import Features
import TestSupport
import Testing

/// The laws of the state, each against ``Oracle`` on randomised streams.
@Suite("State against the oracle")
struct OracleTests {
    @Test("Every aggregate equals its definition after every event", arguments: [1, 6, 40])
    func everyAggregateEqualsItsDefinition(users: Int) throws {
        let specification = try specification(everyAggregate)
        let plan = try FeaturePlan(specification)
        var stream = Stream(.announced("everyAggregate, \(users) users"), users: users)
        let events = (0..<2_000).map { _ in stream.next() }
        let columns = Columns(events, plan.schema)
        var oracle = Oracle(specification)
        let state = PartitionState(plan: plan)
        var row = [Float](repeating: 0, count: plan.count)
        var differences = 0
        for (i, event) in events.enumerated() {
            let isNew = oracle.apply(event)
            switch columns.apply(i, to: state) {
            case .duplicate, .refused:
                #expect(!isNew)
            case .applied(let slot):
                #expect(isNew)
                row.withUnsafeMutableBufferPointer { state.features(slot, into: $0.baseAddress!) }
                let expected = oracle.features(event.user)
                for (k, name) in plan.specification.names.enumerated() {
                    let tolerance: Float = name.hasPrefix("warm") ? 2e-7 : name.hasPrefix("mean") ? 1e-7 : 0
                    if !agree([row[k]], [expected[k]], relative: tolerance), differences < 10 {
                        differences += 1
                        Issue.record("event \(i), \(name): \(row[k]) instead of \(expected[k])")
                    }
                }
            }
            if i % 97 == 0 { state.commit() }
        }
        #expect(state.userCount == oracle.users.count)
        #expect(state.counters.events == UInt64(oracle.count))
        #expect(state.counters.duplicates == UInt64(oracle.duplicates))
        #expect(state.counters.late == UInt64(oracle.late))
        #expect(oracle.duplicates > 0)
        #expect(oracle.late > 0)
    }

    @Test("A batch gives what one event after the other gives, bit for bit", arguments: [1, 7, 64, 1_000])
    func batchesEqualSingles(size: Int) throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced("batches of \(size)"), users: 30)
        stream.dyadic = false
        let events = (0..<4_000).map { _ in stream.next() }
        let columns = Columns(events, plan.schema)
        let single = PartitionState(plan: plan)
        let batched = PartitionState(plan: plan)
        var expected: [[UInt32]] = []
        var row = [Float](repeating: 0, count: plan.count)
        func bits(_ state: PartitionState, _ applied: PartitionState.Applied) -> [UInt32] {
            guard case .applied(let slot) = applied else { return [] }
            row.withUnsafeMutableBufferPointer { state.features(slot, into: $0.baseAddress!) }
            return row.map(\.bitPattern)
        }
        for i in events.indices { expected.append(bits(single, columns.apply(i, to: single))) }
        var seen = 0
        for start in stride(from: 0, to: events.count, by: size) {
            batched.apply(columns.columns, start..<min(start + size, events.count)) { i, applied in
                #expect(i == seen)
                seen += 1
                #expect(bits(batched, applied) == expected[i])
            }
            batched.commit()
        }
        #expect(seen == events.count)
        #expect(single.image == batched.image)
        #expect(single.counters == batched.counters)
    }

    @Test("Shards hold together what one state holds")
    func shardsEqualOne() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 50)
        let events = (0..<3_000).map { _ in stream.next() }
        let columns = Columns(events, plan.schema)
        let one = PartitionState(plan: plan)
        let shards = (0..<4).map { _ in PartitionState(plan: plan) }
        for i in events.indices {
            _ = columns.apply(i, to: one)
            _ = columns.apply(i, to: shards[Int(StableHash.hash(events[i].user) % 4)])
        }
        var together: [String: [UInt8]] = [:]
        for shard in shards { together.merge(shard.image) { a, _ in a } }
        #expect(together == one.image)
        #expect(shards.map(\.userCount).reduce(0, +) == one.userCount)
    }
}
