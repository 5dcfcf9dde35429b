import Features
import TestSupport
import Testing

@Suite("Users without an event for a long time")
struct ExpiryTests {
    private static let timeToLive: Int64 = 5 * 86_400_000

    @Test("A forgotten user begins anew, whenever the record is removed, rolled back or stored in between")
    func equalsTheRule() throws {
        let specification = try specification(everyAggregate)
        let plan = try FeaturePlan(specification)
        var stream = Stream(.announced("expiry"), users: 60)
        let events = (0..<6_000).map { _ in stream.next() }
        let columns = Columns(events, plan.schema)
        var oracle = Oracle(specification)
        var clocks: [String: Int64] = [:]
        var partition = Int64.min
        var state = PartitionState(plan: plan)
        state.timeToLive = Self.timeToLive
        var row = [Float](repeating: 0, count: plan.count)
        var (hand, forgotten, swept, lazily) = (0, 0, 0, 0)
        for (i, event) in events.enumerated() {
            partition = max(partition, event.time)
            if let clock = clocks[event.user], partition - clock > Self.timeToLive {
                oracle.remove(event.user)
                clocks[event.user] = nil
                forgotten += 1
            }
            let isNew = oracle.apply(event)
            if isNew { clocks[event.user] = max(clocks[event.user] ?? .min, event.time) }
            let before = state.counters.expired
            switch columns.apply(i, to: state) {
            case .duplicate, .refused: #expect(!isNew)
            case .applied(let slot):
                #expect(isNew)
                row.withUnsafeMutableBufferPointer { state.features(slot, into: $0.baseAddress!) }
                #expect(agree(row, oracle.features(event.user), relative: 1e-6), "event \(i)")
            }
            lazily += Int(state.counters.expired - before)
            switch i % 29 {
            // A sweep that fails with its transaction, then one that stays.
            case 7:
                state.commit()
                let (image, counters) = (state.image, state.counters)
                state.expire(hand: &hand)
                state.rollback()
                #expect(state.image == image)
                #expect(state.counters == counters)
            case 11, 13, 17, 19:
                swept += state.expire(hand: &hand)
                state.commit()
            // Another process goes on with what was stored.
            case 23 where i % 5 == 0:
                let image = state.image
                state = PartitionState(plan: plan)
                state.timeToLive = Self.timeToLive
                for (user, record) in image {
                    try withBytes(user) { user in
                        try record.withUnsafeBytes { try state.restore(user: user, record: $0) }
                    }
                }
            default: break
            }
        }
        #expect(forgotten > 100)
        #expect(swept > 10)
        #expect(lazily > 10)
    }

    @Test("A removed user's tombstone stands before the record of the same user begun anew")
    func tombstones() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        let events = [
            Oracle.Event(user: "a", type: "click", time: 1_000_000, id: nil),
            Oracle.Event(user: "b", type: "click", time: 1_000_000 + 2 * Self.timeToLive, id: nil),
            Oracle.Event(user: "a", type: "click", time: 1_000_001 + 2 * Self.timeToLive, id: nil),
        ]
        let columns = Columns(events, plan.schema)
        let state = PartitionState(plan: plan)
        state.timeToLive = Self.timeToLive
        _ = columns.apply(0, to: state)
        state.commit()
        _ = columns.apply(1, to: state)
        _ = columns.apply(2, to: state)
        var changes: [String] = []
        state.forEachDirty { user, slot in
            changes.append(String(decoding: user, as: UTF8.self) + (slot == nil ? " removed" : ""))
        }
        #expect(changes == ["b", "a removed", "a"])
        #expect(state.userCount == 2)
        #expect(state.counters.expired == 1)
    }

    @Test("Without a time to live nobody is forgotten")
    func forEver() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        let events = [
            Oracle.Event(user: "a", type: "click", time: 0, id: nil),
            Oracle.Event(user: "b", type: "click", time: 7_000_000_000_000, id: nil),
        ]
        let columns = Columns(events, plan.schema)
        let state = PartitionState(plan: plan)
        _ = columns.apply(0, to: state)
        _ = columns.apply(1, to: state)
        var hand = 0
        for _ in 0..<PartitionState.segmentCount { #expect(state.expire(hand: &hand) == 0) }
        #expect(state.userCount == 2)
    }
}
