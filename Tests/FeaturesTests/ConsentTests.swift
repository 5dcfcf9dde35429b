import Events
import Features
import JSON
import TestSupport
import Testing

@Suite("Consent")
struct ConsentTests {
    private let specification: FeatureSpecification
    private let plan: FeaturePlan
    private let batch: EventBatch
    private let state: PartitionState
    private let time: Int64 = 1_795_255_200_000

    init() throws {
        specification = try FeaturesTests.specification(everyAggregate)
        plan = try FeaturePlan(specification, schema: specification.eventSchema(extraTypes: [Purposes.eventType]))
        batch = EventBatch(schema: plan.schema, capacity: 8)
        state = PartitionState(plan: plan)
    }

    @discardableResult
    private func apply(_ event: String, to state: PartitionState? = nil) throws -> PartitionState.Applied {
        batch.removeAll()
        try withBytes(event) { message in
            try withBytes("u") { try batch.append(message, key: $0, source: SourcePosition()) }
        }
        return (state ?? self.state).apply(batch, 0)
    }

    private func event(_ second: Int64, _ type: String = "ad_view", _ more: String = "") -> String {
        "{\"user_id\":\"u\",\"type\":\"\(type)\",\"time\":\(time + second * 1_000)\(more)}"
    }

    private func consent(_ second: Int64, _ properties: String, id: String = "") -> String {
        event(second, Purposes.eventType, (id.isEmpty ? "" : ",\"id\":\"\(id)\"") + ",\"properties\":\(properties)")
    }

    private var refuses: Purposes? { withBytes("u") { state.slot(ofUser: $0).map { state.refuses($0) } } }

    @Test("Who refuses storing has nothing but the refusal; later events change nothing until it is allowed again")
    func storing() throws {
        for i in 0..<10 { try apply(event(Int64(i), "click", ",\"id\":\"e\(i)\",\"value\":5")) }
        state.commit()
        try apply(consent(20, #"{"storing":false}"#))
        #expect(refuses == .storing)
        let blank = try #require(state.image["u"])
        #expect(try apply(event(21, "click")) == .refused)
        #expect(try apply(event(22, "user.delete")) == .refused)
        #expect(state.image["u"] == blank)
        // Bytes of the refusal do not tell what the user did.
        let other = PartitionState(plan: plan)
        try apply(consent(20, #"{"storing":false}"#), to: other)
        #expect(other.image["u"] == blank)
        // An old answer that comes again does not overrule it.
        #expect(try apply(consent(5, #"{"storing":true}"#)) == .duplicate)
        #expect(refuses == .storing)
        try apply(consent(30, #"{"storing":true}"#))
        #expect(refuses == [])
        let fresh = PartitionState(plan: plan)
        for state in [state, fresh] { try apply(event(31, "click", ",\"value\":2"), to: state) }
        #expect(agree(state.features(of: "u") ?? [], fresh.features(of: "u") ?? []))
    }

    @Test("Who refuses scoring keeps features that the refusal does not touch")
    func scoring() throws {
        let other = PartitionState(plan: plan)
        for state in [state, other] { try apply(event(0, "click", ",\"value\":5"), to: state) }
        try apply(consent(10, #"{"scoring":false}"#, id: "c1"))
        #expect(refuses == .scoring)
        #expect(agree(state.features(of: "u") ?? [], other.features(of: "u") ?? []))
        for state in [state, other] { try apply(event(20, "click", ",\"value\":7"), to: state) }
        #expect(agree(state.features(of: "u") ?? [], other.features(of: "u") ?? []))
        try apply(consent(21, #"{"scoring":true}"#, id: "c2"))
        #expect(refuses == [])
        #expect(try apply(consent(10, #"{"scoring":false}"#, id: "c1")) == .duplicate)
        #expect(refuses == [])
    }

    @Test("A refusal survives storing, rollback, erasure and the time to live")
    func survives() throws {
        try apply(event(0, "click"))
        try apply(consent(1, #"{"scoring":false}"#))
        state.commit()
        let image = state.image
        try apply(consent(2, #"{"scoring":true,"storing":false}"#))
        #expect(refuses == .storing)
        state.rollback()
        #expect(state.image == image)
        #expect(refuses == .scoring)
        // Stored and restored.
        let copy = PartitionState(plan: plan)
        try withBytes("u") { user in try image["u"]!.withUnsafeBytes { try copy.restore(user: user, record: $0) } }
        #expect(withBytes("u") { user in copy.slot(ofUser: user).map { copy.refuses($0) } } == .scoring)
        // Erased: features go, the refusal stays.
        #expect(withBytes("u") { state.remove(user: $0) })
        #expect(refuses == .scoring)
        #expect(withBytes("u") { state.slot(ofUser: $0).map { state.eventCount($0) } } == 0)
        state.commit()
        // Forgotten after the time to live: the same, and counted once.
        state.timeToLive = 5_000
        try apply(event(10, "click"))
        try apply(event(100, "click"))
        #expect(refuses == .scoring)
        #expect(state.counters.expired == 1)
        state.commit()
        var hand = 0
        for _ in 0..<PartitionState.segmentCount { state.expire(hand: &hand) }
        #expect(state.dirtyCount == 0, "nobody else's clock has moved on")
    }

    @Test(
        "A consent event that does not say what is rejected",
        arguments: ["{}", "null", #"{"scoring":"no"}"#, #"{"storing":0}"#, #"{"other":true}"#, #"{"scoring":null}"#])
    func rejected(properties: String) throws {
        let error = #expect(throws: InputError.self) { try apply(consent(0, properties)) }
        #expect(error?.code == (properties.contains("no\"") || properties.contains(":0") ? .fieldType : .missingField))
        #expect(state.userCount == 0 && batch.count == 0)
    }
}
