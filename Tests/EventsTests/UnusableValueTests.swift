import Base
import Events
import JSON
import Testing

@Suite("Values that no feature can use, and times that cannot be")
struct UnusableValueTests {
    private let schema = EventSchema(fields: [
        .init("properties.n", expects: .number), .init("properties.any", expects: .any),
    ])

    private func batch(predicts: Bool) -> EventBatch {
        var limits = EventLimits()
        limits.requiresKey = false
        return EventBatch(schema: schema, limits: limits, capacity: 64, predicts: predicts)
    }

    private func append(_ batch: EventBatch, _ more: String, time: String = "1795255200000", at: Int64 = -1) throws {
        let text = #"{"user_id":"u","type":"click","time":\#(time)\#(more)}"#
        try Array(text.utf8).withUnsafeBytes {
            try batch.append($0, key: nil, source: SourcePosition(timestamp: at))
        }
    }

    @Test("The event lives, the field is missing, and it is counted", arguments: [true, false])
    func countedAndMissing(predicts: Bool) throws {
        let batch = batch(predicts: predicts)
        for value in [#""12""#, "[1]", #"{"a":{"b":1}}"#, "1e999"] {
            try append(batch, #","properties":{"n":\#(value),"any":7}"#)
            let fields = batch.fields(batch.count - 1)
            #expect(fields[0] == .missing)
            #expect(fields[1] == FieldValue(7))
        }
        try append(batch, #","properties":{"n":3}"#)
        #expect(batch.fields(batch.count - 1)[0] == FieldValue(3))
        #expect(batch.unusableValues(0) == 4)
        #expect(batch.unusableValues(1) == 0)
        var taken: [Int] = []
        batch.takeUnusableValues { taken += [$0, $1] }
        batch.takeUnusableValues { taken += [$0, $1] }
        #expect(taken == [0, 4])
        // What is not JSON is not an event.
        #expect(throws: InputError.self) { try append(batch, #","properties":{"n":[1}"#) }
    }

    @Test("The contract's own members too: a text as value costs the value, not the event", arguments: [true, false])
    func members(predicts: Bool) throws {
        let schema = EventSchema(fields: [
            .init("value", expects: .number), .init("channel"), .init("campaign_id"),
        ])
        var limits = EventLimits()
        limits.requiresKey = false
        let batch = EventBatch(schema: schema, limits: limits, capacity: 64, predicts: predicts)
        for value in [#""12,50""#, "true", "[1]", #"{"a":1}"#, "1e999"] {
            try append(batch, #","value":\#(value),"channel":"social","campaign_id":17"#)
            let fields = batch.fields(batch.count - 1)
            #expect(fields[0] == .missing)
            #expect(fields[1] == FieldValue(textHash: StableHash.hash("social")))
            #expect(fields[2] == FieldValue(textHash: StableHash.hash("17")))
        }
        for value in ["7", "false", "[]", "{}", "1.5"] {
            try append(
                batch, #","value":3,"channel":\#(value),"campaign_id":\#(value == "7" ? "1.5" : value),"currency":9"#)
            let fields = batch.fields(batch.count - 1)
            #expect(fields[0] == FieldValue(3))
            #expect(fields[1] == .missing && fields[2] == .missing)
        }
        #expect((0..<3).map { batch.unusableValues($0) } == [5, 5, 5])
    }

    @Test("Integers from 2⁵³ on are as many values as there are; below, numbers", arguments: [true, false])
    func largeIntegers(predicts: Bool) throws {
        let batch = batch(predicts: predicts)
        let first: UInt64 = 9_007_199_254_740_992
        for i in 0..<20 { try append(batch, #","properties":{"any":\#(first + UInt64(i)),"n":\#(first + UInt64(i))}"#) }
        let values = (0..<20).map { batch.fields($0)[1] }
        #expect(Set(values.map(\.payload)).count == 20)
        #expect(values.allSatisfy { $0.kind == .text })
        #expect(values[3] == FieldValue(textHash: StableHash.hash("9007199254740995")))
        // Where it is only ever added up, it stays a number.
        #expect((0..<20).allSatisfy { batch.fields($0)[0].kind == .number })
        try append(batch, #","properties":{"any":9007199254740991}"#)
        #expect(batch.fields(20)[1] == FieldValue(9_007_199_254_740_991.0))
        try append(batch, #","properties":{"any":-9007199254740993}"#)
        #expect(batch.fields(21)[1].kind == .text)
        try append(batch, #","properties":{"any":1.5e16}"#)
        #expect(batch.fields(22)[1] == FieldValue(1.5e16))
    }

    @Test("A time in seconds is told by the record's; an hour ahead is the most")
    func times() throws {
        let batch = batch(predicts: true)
        let now: Int64 = 1_795_255_200_000
        func code(_ time: Int64, at: Int64) -> InputErrorCode? {
            do {
                try append(batch, "", time: "\(time)", at: at)
                return nil
            } catch { return (error as? InputError)?.code }
        }
        #expect(code(now / 1_000, at: now) == .timeTooOld)
        #expect(code(now / 1_000, at: -1) == nil)
        #expect(code(now - 19 * 365 * 86_400_000, at: now) == nil)
        #expect(code(now + 3_600_000, at: now) == nil)
        #expect(code(now + 3_600_001, at: now) == .timeInFuture)
    }
}
