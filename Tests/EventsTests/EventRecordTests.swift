import Base
import Events
import Foundation
import JSON
import TestSupport
import Testing

@Suite("Event records")
struct EventRecordTests {
    private static func text(_ generator: inout SeededGenerator) -> String {
        let planes: [ClosedRange<UInt32>] = [0...0x7F, 0x20...0x7E, 0x80...0x7FF, 0x800...0xD7FF, 0x1_0000...0x10_FFFF]
        let scalars = (0..<Int.random(in: 1...20, using: &generator)).map { _ in
            let plane = planes.randomElement(using: &generator) ?? 0...0x7F
            return UnicodeScalar(UInt32.random(in: plane, using: &generator)) ?? "\u{FFFD}"
        }
        return String(String.UnicodeScalarView(scalars))
    }

    @Test("What is written reads back: any text, any number, any time")
    func roundTrip() throws {
        var generator = SeededGenerator.announced()
        let schema = EventSchema(fields: [
            .init("value", expects: .number), .init("channel"), .init("campaign_id"), .init("currency"),
            .init("properties.number", expects: .number), .init("properties.text"), .init("properties.truth"),
        ])
        let batch = EventBatch(schema: schema, capacity: 1)
        let out = ByteBuffer()
        for _ in 0..<2_000 {
            var record = EventRecord(
                userID: Self.text(&generator), type: Self.text(&generator),
                time: .random(in: EventLimits.timeRange, using: &generator))
            record.id = Self.text(&generator)
            record.value = Double.random(in: -1e6...1e6, using: &generator)
            record.channel = Self.text(&generator)
            record.campaignID = Bool.random(using: &generator) ? Self.text(&generator) : nil
            record.treatment = .init(experimentID: Self.text(&generator), arm: Self.text(&generator), propensity: 0.3)
            let text = Self.text(&generator)
            record.properties = [
                .init("number", .number(-0.0)), .init("text", .text(text)), .init("truth", .bool(true)),
                .init(Self.text(&generator) + "!", .text(text)),
            ]
            out.removeAll()
            batch.removeAll()
            record.write(into: out)
            var key = record.userID
            try key.withUTF8 { try batch.append(out.bytes, key: UnsafeRawBufferPointer($0), source: SourcePosition()) }
            let event = batch[0]
            #expect(String(decoding: batch.user(0), as: UTF8.self) == record.userID)
            #expect(String(decoding: batch.bytes(event.typeText), as: UTF8.self) == record.type)
            #expect(event.time == record.time && event.idHash == StableHash.hash(record.id ?? ""))
            #expect(event.propensity == 0.3 && event.armHash == StableHash.hash(record.treatment?.arm ?? ""))
            #expect(
                Array(batch.fields(0)) == [
                    FieldValue(record.value ?? .nan), FieldValue(textHash: StableHash.hash(record.channel ?? "")),
                    record.campaignID.map { FieldValue(textHash: StableHash.hash($0)) } ?? .missing, .missing,
                    FieldValue(-0.0), FieldValue(textHash: StableHash.hash(text)), FieldValue(true),
                ])
            #expect(try JSONSerialization.jsonObject(with: Data(out.bytes)) as? [String: Any] != nil)
        }
    }

    @Test("The members stand in the contract's order")
    func order() {
        var record = EventRecord(userID: "u-17", type: "ad_view", time: 1_795_255_200_123)
        record.id = "e-1"
        record.campaignID = "c-9"
        record.channel = "social"
        record.value = 12.5
        record.treatment = .init(experimentID: "spring", arm: "ad", propensity: 0.5)
        record.properties = [.init("device_type", .text("Mobile")), .init("recency", .number(4))]
        let out = ByteBuffer()
        record.write(into: out)
        #expect(String(decoding: out.bytes, as: UTF8.self) == EventReaderTests.whole)
    }

    @Test("Times are written as Foundation writes them, and clamped to the years RFC 3339 has")
    func times() {
        var generator = SeededGenerator.announced()
        let formatter = ISO8601DateFormatter()
        let out = ByteBuffer()
        func written(_ time: Int64) -> String {
            out.removeAll()
            out.appendRFC3339(time)
            return String(decoding: out.bytes, as: UTF8.self)
        }
        for _ in 0..<2_000 {
            // Whole seconds, which a double holds exactly, and the milliseconds after them.
            let seconds = Int64.random(in: -2_000_000_000...200_000_000_000, using: &generator)
            let milliseconds = Int64.random(in: 0..<1_000, using: &generator)
            let whole = formatter.string(from: Date(timeIntervalSince1970: Double(seconds))).dropLast()
            #expect(written(seconds * 1_000 + milliseconds) == whole + String(format: ".%03dZ", Int(milliseconds)))
        }
        #expect(written(.min) == "0000-01-01T00:00:00.000Z")
        #expect(written(.max) == "9999-12-31T23:59:59.999Z")
    }
}
