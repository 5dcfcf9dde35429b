import Features
import TestSupport
import Testing

@Suite("Transactions")
struct TransactionTests {
    @Test("Rollback restores every byte, every user and every counter, removals and new users included")
    func rollbackRestores() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 40)
        let events = (0..<6_000).map { _ in stream.next() }
        let columns = Columns(events, plan.schema)
        let state = PartitionState(plan: plan)
        let never = PartitionState(plan: plan)
        var start = 0
        var rollbacks = 0
        while start < events.count {
            let end = min(events.count, start + 1 + stream.uniform(300))
            let before = state.image
            let counters = state.counters
            for attempt in 0..<2 {
                for i in start..<end {
                    _ = columns.apply(i, to: state)
                    if i % 41 == 0 { withBytes(events[i].user) { _ = state.remove(user: $0) } }
                }
                // The first attempt fails, as a broken Kafka transaction does; the second one stays.
                if attempt == 0 {
                    state.rollback()
                    rollbacks += 1
                    #expect(state.image == before)
                    #expect(state.counters == counters)
                    #expect(state.dirtyCount == 0)
                } else {
                    state.commit()
                }
            }
            for i in start..<end {
                _ = columns.apply(i, to: never)
                if i % 41 == 0 { withBytes(events[i].user) { _ = never.remove(user: $0) } }
            }
            #expect(state.image == never.image)
            start = end
        }
        #expect(rollbacks > 10)
        #expect(state.counters == never.counters)
    }

    @Test("Transactions go on when their numbers begin anew")
    func epochsComeAgain() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 20)
        let state = PartitionState(plan: plan)
        let never = PartitionState(plan: plan)
        // The first transactions have the numbers that come again after the turn.
        for transaction in 0..<40 {
            if transaction == 10 { state.setEpoch(.max - 5) }
            let events = (0..<30).map { _ in stream.next() }
            let columns = Columns(events, plan.schema)
            let before = state.image
            for i in events.indices { _ = columns.apply(i, to: state) }
            if transaction % 3 == 0 {
                state.rollback()
                #expect(state.image == before)
            } else {
                for i in events.indices { _ = columns.apply(i, to: never) }
                state.commit()
                never.commit()
            }
            #expect(state.image == never.image)
        }
    }

    @Test("The changed users are listed once, in the order in which they were first touched")
    func dirtyUsersInOrder() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 25)
        let state = PartitionState(plan: plan)
        for _ in 0..<30 {
            let events = (0..<200).map { _ in stream.next() }
            let columns = Columns(events, plan.schema)
            var touched: [String] = []
            for (i, event) in events.enumerated() {
                let applied = columns.apply(i, to: state)
                if applied != .duplicate, !touched.contains(event.user) { touched.append(event.user) }
            }
            var listed: [String] = []
            state.forEachDirty { user, slot in
                let name = String(decoding: user, as: UTF8.self)
                listed.append(name)
                // The slot is the user's present one, however often the record moved.
                #expect(slot == withBytes(name) { state.slot(ofUser: $0) })
            }
            #expect(listed == touched)
            state.commit()
            #expect(state.dirtyCount == 0)
        }
    }

    @Test("A removed user is listed without a slot, one who came and went is not listed")
    func removalsAreListed() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        let state = PartitionState(plan: plan)
        let events = ["old", "new", "back"].map { Oracle.Event(user: $0, type: "click", time: 1_000_000) }
        let columns = Columns(events, plan.schema)
        _ = columns.apply(0, to: state)
        _ = columns.apply(2, to: state)
        state.commit()
        _ = columns.apply(1, to: state)
        for user in ["old", "new", "back"] { #expect(withBytes(user) { state.remove(user: $0) }) }
        #expect(!withBytes("old") { state.remove(user: $0) })
        _ = columns.apply(2, to: state)
        var listed: [String] = []
        state.forEachDirty { user, slot in
            listed.append("\(String(decoding: user, as: UTF8.self)) \(slot == nil ? "gone" : "there")")
        }
        #expect(listed == ["old gone", "back gone", "back there"])
        #expect(state.userCount == 1)
        state.rollback()
        #expect(state.userCount == 2)
        #expect(state.features(of: "old") != nil)
        #expect(state.features(of: "new") == nil)
    }
}
