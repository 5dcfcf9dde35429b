import Events
import Features
import TestSupport
import Testing

/// Features before an event: the law that training rows rest on.
@Suite("Features before an event")
struct BeforeTests {
    @Test("They are those of the events applied so far, as of the event's time", arguments: [2, 20])
    func equalTheOracle(users: Int) throws {
        let specification = try specification(everyAggregate)
        let plan = try FeaturePlan(specification)
        var stream = Stream(.announced("before, \(users) users"), users: users)
        let events = (0..<2_000).map { _ in stream.next() }
        let columns = Columns(events, plan.schema)
        var oracle = Oracle(specification)
        let state = PartitionState(plan: plan)
        var row = [Float](repeating: 0, count: plan.count)
        var ahead = 0, differences = 0, leaks = 0
        for (i, event) in events.enumerated() {
            let clock = oracle.users[event.user]?.map(\.time).max()
            let expected = oracle.features(event.user, at: event.time)
            let image = state.image[event.user]
            let before = row.withUnsafeMutableBufferPointer {
                state.features(before: columns.events[i], user: columns.users[i], into: $0.baseAddress!)
            }
            #expect(state.image[event.user] == image, "reading changes nothing")
            let isNew = oracle.apply(event)
            let applied = columns.apply(i, to: state)
            switch before {
            case .duplicate, .refused:
                #expect(!isNew)
                #expect(applied == .duplicate)
            case .ahead(let at):
                ahead += 1
                #expect(clock == at && at > event.time)
            case .features:
                #expect(isNew)
                #expect(clock.map { $0 <= event.time } ?? true)
                for (k, name) in specification.names.enumerated() {
                    let tolerance: Float = name.hasPrefix("warm") ? 2e-7 : name.hasPrefix("mean") ? 1e-7 : 0
                    if !agree([row[k]], [expected[k]], relative: tolerance), differences < 10 {
                        differences += 1
                        Issue.record("event \(i), \(name): \(row[k]) instead of \(expected[k])")
                    }
                }
                // What a leaky reader would take, the features with the event applied, is told apart.
                if !agree(oracle.features(event.user, at: event.time), expected, relative: 1e-6) { leaks += 1 }
            }
        }
        #expect(ahead > 0)
        #expect(leaks > 1_000)
    }
}
