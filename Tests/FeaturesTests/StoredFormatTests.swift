import Base
import Features
import TestSupport
import Testing

/// The state's fingerprint and the changelog's records: a change of a byte here makes every user's stored state
/// unreadable, or worse, read as something else.
@Suite("Stored state, byte for byte")
struct StoredFormatTests {
    private let day: Int64 = 86_400_000
    private let start: Int64 = 1_795_255_200_000

    private func event(
        _ type: String, _ time: Int64, id: String? = nil, _ fields: [String: Oracle.Value] = [:]
    ) -> Oracle.Event {
        Oracle.Event(user: "u-17", type: type, time: time, id: id, fields: fields)
    }

    private var events: [Oracle.Event] {
        [
            event("ad_view", start, id: "e-1", ["channel": .text("social"), "campaign_id": .text("c-9")]),
            event("click", start + 1_000, id: "e-2", ["channel": .text("mail"), "value": .number(2.5)]),
            event("purchase", start + day, ["value": .number(12.125), "properties.mixed": .bool(true)]),
            event("refund", start + 3 * day, id: "e-3", ["value": .number(-3), "properties.mixed": .number(2)]),
            event("own_type", start + 40 * day, ["campaign_id": .text("c-1"), "properties.mixed": .text("seven")]),
            event("page_view", start + 41 * day + 7, id: "e-2"),
        ]
    }

    @Test("The layout's text and its fingerprint")
    func layout() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        let text = plan.layoutDescription + "\nfingerprint \(String(plan.fingerprint, radix: 16))\n"
        #expect(try Golden.difference(text, from: "state-layout.txt") == nil)
    }

    @Test("A user's record")
    func record() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        let state = PartitionState(plan: plan)
        let columns = Columns(events, plan.schema)
        for i in events.indices { _ = columns.apply(i, to: state) }
        #expect(try Golden.difference(Golden.hex(state.image["u-17"] ?? []), from: "changelog-record.hex") == nil)
    }

    @Test("The specification with every default written out")
    func specificationText() throws {
        let text = String(decoding: try specification(everyAggregate).canonicalJSON, as: UTF8.self)
        #expect(try Golden.difference(text, from: "feature-specification.json") == nil)
    }
}
