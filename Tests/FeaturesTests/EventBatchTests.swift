import Events
import Features
import TestSupport
import Testing

@Suite("From JSON to features")
struct EventBatchTests {
    @Test("Events read from JSON give the oracle's features, batched and one by one")
    func messagesToFeatures() throws {
        let specification = try specification(everyAggregate)
        let plan = try FeaturePlan(specification)
        var stream = Stream(.announced(), users: 12)
        let batch = EventBatch(schema: plan.schema, capacity: 64)
        var oracle = Oracle(specification)
        let batched = PartitionState(plan: plan)
        let single = PartitionState(plan: plan)
        for _ in 0..<20 {
            batch.removeAll()
            var events: [Oracle.Event] = []
            for _ in 0..<64 {
                let event = stream.next()
                events.append(event)
                let key = Array(event.user.utf8)
                try Array(Self.json(event).utf8).withUnsafeBytes { message in
                    try key.withUnsafeBytes { try batch.append(message, key: $0, source: SourcePosition()) }
                }
            }
            var row = [Float](repeating: 0, count: plan.count)
            batched.apply(batch) { i, applied in
                let isNew = oracle.apply(events[i])
                guard case .applied(let slot) = applied else {
                    #expect(!isNew)
                    return
                }
                #expect(isNew)
                row.withUnsafeMutableBufferPointer { batched.features(slot, into: $0.baseAddress!) }
                #expect(agree(row, oracle.features(events[i].user), relative: 1e-6))
            }
            for i in 0..<batch.count { _ = single.apply(batch, i) }
            #expect(single.image == batched.image)
        }
    }

    private static func json(_ event: Oracle.Event) -> String {
        func text(_ value: Oracle.Value) -> String {
            switch value {
            case .number(let number): "\(number)"
            case .text(let text): "\"\(text)\""
            case .bool(let truth): "\(truth)"
            }
        }
        var members = [
            "\"user_id\":\"\(event.user)\"", "\"type\":\"\(event.type)\"", "\"time\":\(event.time)",
        ]
        if let id = event.id { members.append("\"id\":\"\(id)\"") }
        for (path, value) in event.fields where !path.hasPrefix("properties.") {
            members.append("\"\(path)\":\(text(value))")
        }
        if let mixed = event.fields["properties.mixed"] { members.append("\"properties\":{\"mixed\":\(text(mixed))}") }
        return "{\(members.joined(separator: ","))}"
    }
}
