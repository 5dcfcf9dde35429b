import Features
import TestSupport
import Testing

@Suite("Growth and removal")
struct GrowthTests {
    private static let small = """
        {"features":[
          {"name":"views","aggregate":"count","window":"1d"},
          {"name":"spend","aggregate":"sum","field":"value","window":"7d"},
          {"name":"campaigns","aggregate":"distinct","field":"campaign_id","window":"7d","capacity":4}]}
        """

    @Test("300,000 users come, are all there, and go")
    func manyUsers() throws {
        let plan = try FeaturePlan(specification(Self.small))
        let state = PartitionState(plan: plan)
        let users = 300_000
        var event = Oracle.Event(user: "", type: "click", time: 1_795_255_200_000, fields: ["value": .number(1)])
        let chunk = 10_000
        for start in stride(from: 0, to: users, by: chunk) {
            let events = (start..<start + chunk).map { i in
                event.user = "customer/\(i)"
                event.fields["value"] = .number(Double(i))
                return event
            }
            let columns = Columns(events, plan.schema)
            state.apply(columns.columns, 0..<chunk) { _, applied in #expect(applied != .duplicate) }
            state.commit()
        }
        #expect(state.userCount == users)
        for i in stride(from: 0, to: users, by: 997) {
            #expect(state.features(of: "customer/\(i)")?.prefix(2) == [1, Float(i)])
        }
        for i in 0..<users where i % 3 != 0 { withBytes("customer/\(i)") { _ = state.remove(user: $0) } }
        state.commit()
        #expect(state.userCount == users / 3)
        var missing = 0
        for i in 0..<users {
            let isThere = state.features(of: "customer/\(i)") != nil
            if isThere != (i % 3 == 0) { missing += 1 }
        }
        #expect(missing == 0)
    }

    @Test("Memory stays bounded while records grow, shrink and go for ever")
    func memoryStaysBounded() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 3_000)
        let state = PartitionState(plan: plan)
        var oracle = Oracle(plan.specification)
        var highest = 0
        var settled = 0
        for round in 0..<60 {
            let events = (0..<3_000).map { _ in stream.next() }
            let columns = Columns(events, plan.schema)
            for (i, event) in events.enumerated() {
                _ = oracle.apply(event)
                _ = columns.apply(i, to: state)
                if i % 50 == 0 {
                    withBytes(event.user) { _ = state.remove(user: $0) }
                    oracle.remove(event.user)
                }
            }
            state.commit()
            highest = max(highest, state.recordBytes)
            if round == 30 { settled = state.memoryBytes }
        }
        #expect(state.memoryBytes <= settled + settled / 4, "\(settled) bytes became \(state.memoryBytes)")
        // Dead blocks are at most a sixth, and a few chunks may be partly filled.
        #expect(state.memoryBytes < highest * 6 / 5 + 4 * (2 << 20) + (8 << 20))
        #expect(state.userCount == oracle.users.count)
        var wrong = 0
        for user in oracle.users.keys
        where !agree(state.features(of: user) ?? [], oracle.features(user), relative: 1e-6) {
            wrong += 1
        }
        #expect(wrong == 0)
    }

    @Test("Users who go and come again take the memory they gave back, whatever the order")
    func memoryIsGivenAgain() throws {
        let plan = try FeaturePlan(specification(Self.small))
        let state = PartitionState(plan: plan)
        var generator = SeededGenerator.announced()
        // Ids of several lengths, so that blocks of several sizes are mixed.
        let users = (0..<80_000).map { String(repeating: "x", count: $0 % 5 * 40) + "/\($0)" }
        func come(_ users: [String]) {
            let events = users.map {
                Oracle.Event(user: $0, type: "click", time: 1_795_255_200_000, fields: ["value": .number(3)])
            }
            let columns = Columns(events, plan.schema)
            state.apply(columns.columns, 0..<events.count) { _, applied in #expect(applied != .duplicate) }
            state.commit()
        }
        func goAndCome() {
            let chosen = users.shuffled(using: &generator).prefix(users.count / 8)
            for user in chosen { withBytes(user) { _ = state.remove(user: $0) } }
            state.commit()
            come(chosen.shuffled(using: &generator))
        }
        come(users)
        let records = state.recordBytes
        // From now on the undo log has room for so many removals.
        goAndCome()
        let memory = state.memoryBytes
        for _ in 0..<12 { goAndCome() }
        #expect(state.recordBytes == records)
        #expect(state.memoryBytes == memory)
        #expect(state.userCount == users.count)
        #expect(users.allSatisfy { state.features(of: $0) == [1, 3, 0] })
    }

    @Test("A distinct table that is full keeps the values seen last")
    func distinctSaturates() throws {
        let plan = try FeaturePlan(specification(Self.small))
        let state = PartitionState(plan: plan)
        let start: Int64 = 1_795_219_200_000
        var events = (0..<10).map { i in
            Oracle.Event(
                user: "u", type: "click", time: start + Int64(i) * 43_200_000, fields: ["campaign_id": .text("c\(i)")])
        }
        // The oldest of the window comes again, late: it is older than all that are kept.
        events.append(
            Oracle.Event(user: "u", type: "click", time: start, fields: ["campaign_id": .text("late")]))
        let columns = Columns(events, plan.schema)
        for i in 0..<10 { _ = columns.apply(i, to: state) }
        #expect(state.features(of: "u")?[2] == 4)
        let before = state.image
        _ = columns.apply(10, to: state)
        #expect(state.features(of: "u")?[2] == 4)
        // Six days on, c6 is out of the window of seven days in buckets of twelve hours.
        let later = Columns([Oracle.Event(user: "u", type: "click", time: start + 20 * 43_200_000)], plan.schema)
        _ = later.apply(0, to: state)
        #expect(state.features(of: "u")?[2] == 3)
        #expect(before != state.image)
    }

    @Test("Users with ids of every length are told apart")
    func idsOfEveryLength() throws {
        let plan = try FeaturePlan(specification(Self.small))
        let state = PartitionState(plan: plan)
        let names = (1...256).flatMap { n in
            ["a", "b"].map { String(repeating: "x", count: n - 1) + $0 }
        }
        for (i, name) in names.enumerated() {
            let event = Oracle.Event(user: name, type: "click", time: 1, fields: ["value": .number(Double(i))])
            _ = Columns([event], plan.schema).apply(0, to: state)
        }
        #expect(state.userCount == names.count)
        for (i, name) in names.enumerated() { #expect(state.features(of: name)?[1] == Float(i)) }
    }
}
