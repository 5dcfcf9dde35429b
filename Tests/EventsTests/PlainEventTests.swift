import Base
import Events
import Foundation
import TestSupport
import Testing

/// Events as producers write them, which the reader takes by its short paths: these must be invisible.
@Suite("Plain events")
struct PlainEventTests {
    private static let schema = EventSchema(
        fields: [
            .init("value", expects: .number), .init("channel"), .init("properties.n", expects: .number),
            .init("properties.s", expects: .text), .init("properties.any"),
        ], customTypes: ["own", "a type of 15 by", "a type of 16 byt"])

    private static func batch(predicts: Bool) -> EventBatch {
        var limits = EventLimits()
        limits.requiresKey = false
        return EventBatch(schema: schema, limits: limits, capacity: 1, predicts: predicts)
    }

    /// All that is known of an event, or its error.
    private static func outcome(_ message: [UInt8], _ batch: EventBatch) -> String {
        EventsTests.outcome(message, batch) { event in
            summary(
                user: Array(batch.user(0)), type: Array(batch.bytes(event.typeText)), number: event.type,
                time: event.time, hashes: [event.userHash, event.idHash, event.armHash], propensity: event.propensity,
                fields: Array(batch.fields(0)))
        }
    }

    private static func summary(
        user: [UInt8], type: [UInt8], number: UInt8, time: Int64, hashes: [UInt64], propensity: Double,
        fields: [FieldValue]
    ) -> String {
        "\(user) \(type) \(number) \(time) \(hashes) \(propensity) "
            + fields.map { "\($0.kind) \($0.payload)" }.joined(separator: ",")
    }

    /// What a member holds, as JSON and as the reader must give it.
    private struct Value {
        var json = "null"
        var field = FieldValue.missing

        static func number(_ generator: inout SeededGenerator) -> Value {
            let whole = Int.random(
                in: 0..<[10, 1_000, 100_000, 100_000_000].pick(&generator), using: &generator)
            let places = Int.random(in: 0...6, using: &generator)
            let fraction = (0..<places).map { _ in "\(Int.random(in: 0...9, using: &generator))" }.joined()
            var text = places == 0 ? "\(whole)" : "\(whole).\(fraction)"
            if Int.random(in: 0..<8, using: &generator) == 0 { text = "-" + text }
            if Int.random(in: 0..<8, using: &generator) == 0 { text += "e-3" }
            return Value(json: text, field: FieldValue(Double(text) ?? .nan))
        }

        static func text(_ generator: inout SeededGenerator, atLeast: Int = 0) -> (json: String, text: String) {
            let count = [0, 1, 5, 7, 8, 9, 15, 16, 17, 36].pick(&generator)
            let letters = (0..<max(atLeast, count)).map { _ in
                Int.random(in: 0..<60, using: &generator) == 0
                    ? ["é", "\n", "😀", "\""].pick(&generator)
                    : String(UnicodeScalar(UInt8.random(in: 0x61...0x7A, using: &generator)))
            }
            let text = letters.joined()
            return ("\"\(text.replacing("\"", with: "\\\"").replacing("\n", with: "\\n"))\"", text)
        }

        static func any(_ generator: inout SeededGenerator) -> Value {
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: return Value(json: "true", field: FieldValue(true))
            case 1: return Value(json: "false", field: FieldValue(false))
            case 2: return Value()
            case 3: return number(&generator)
            default:
                let (json, text) = text(&generator)
                return Value(json: json, field: FieldValue(textHash: StableHash.hash(text)))
            }
        }
    }

    /// A time near a midnight in one of the common layouts, and what Foundation takes it for.
    private static func time(_ generator: inout SeededGenerator) -> (json: String, time: Int64) {
        let midnight = 1_795_219_200_000 + 86_400_000 * Int64.random(in: -1...1, using: &generator)
        let time = midnight + Int64.random(in: 0..<86_400_000, using: &generator)
        var style = Date.ISO8601FormatStyle(
            timeZoneSeparator: .colon, includingFractionalSeconds: Int.random(in: 0..<4, using: &generator) > 0)
        let zone =
            Int.random(in: 0..<8, using: &generator) == 0 ? 3_600 * Int.random(in: -11...11, using: &generator) : 0
        style.timeZone = TimeZone(secondsFromGMT: zone) ?? .gmt
        let date = Date(timeIntervalSince1970: Double(time) / 1_000 + 0.000_1)
        let text = date.formatted(style)
        return ("\"\(text)\"", style.includingFractionalSeconds ? time : time / 1_000 * 1_000)
    }

    /// An event of known values: its message, and what the reader must make of it.
    private static func event(_ generator: inout SeededGenerator) -> (json: String, expected: String) {
        let user = Value.text(&generator, atLeast: 1), id = Value.text(&generator), arm = Value.text(&generator)
        let types = schema.types + ["of no number", "of no number, and long"]
        let type = types.pick(&generator)
        let time = time(&generator)
        let channel = Value.text(&generator)
        let value = Value.number(&generator), n = Value.number(&generator), any = Value.any(&generator)
        let s = Value.text(&generator), other = Value.any(&generator)
        let space = Int.random(in: 0..<8, using: &generator) == 0 ? " " : ""
        let members = [
            #""id":~\#(id.json)"#, #""user_id":~\#(user.json)"#, #""type":~"\#(type)""#, #""time":~\#(time.json)"#,
            #""channel":~\#(channel.json)"#, #""value":~\#(value.json)"#, #""unknown":~\#(Value.any(&generator).json)"#,
            #""treatment":~{"arm":~\#(arm.json),~"propensity":~0.25}"#,
            #""properties":~{"n":~\#(n.json),~"s":~\#(s.json),~"x":~\#(other.json),~"any":~\#(any.json)}"#,
        ]
        let json = "{\(members.joined(separator: ",~"))}".replacing("~", with: space)
        let number = schema.typeNumber(type).map { UInt8($0) } ?? Event.unknownType
        return (
            json,
            summary(
                user: Array(user.text.utf8), type: Array(type.utf8), number: number, time: time.time,
                hashes: [StableHash.hash(user.text), StableHash.hash(id.text), StableHash.hash(arm.text)],
                propensity: 0.25,
                fields: [
                    value.field, FieldValue(textHash: StableHash.hash(channel.text)), n.field,
                    FieldValue(textHash: StableHash.hash(s.text)), any.field,
                ])
        )
    }

    @Test("An event of known values gives these values, on the short paths and on the general one")
    func knownValues() {
        var generator = SeededGenerator.announced()
        let plain = Self.batch(predicts: true), general = Self.batch(predicts: false)
        for _ in 0..<5_000 {
            let (json, expected) = Self.event(&generator)
            #expect(Self.outcome(Array(json.utf8), plain) == expected, "\(json)")
            #expect(Self.outcome(Array(json.utf8), general) == expected, "\(json)")
        }
    }

    @Test(
        "Whatever byte is changed, both paths give the same event or the same error at the same byte"
    )
    func mutations() {
        var generator = SeededGenerator.announced()
        let plain = Self.batch(predicts: true), general = Self.batch(predicts: false)
        let alphabet = Array(#"{}[]",:\u0041eE+-.0123456789truefalsnzTZ "#.utf8) + [0, 1, 0x7F, 0x80, 0xC3, 0xFF]
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = Array(Self.event(&generator).json.utf8)
            for _ in 0..<Int.random(in: 1...2, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                let byte = alphabet.pick(&generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = byte
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(byte, at: place)
                default: bytes.removeLast(Int.random(in: 0..<20, using: &generator))
                }
            }
            let found = Self.outcome(bytes, plain)
            #expect(found == Self.outcome(bytes, general), "\(String(decoding: bytes, as: UTF8.self))")
            accepted += plain.count
        }
        #expect(accepted > 3_000)
    }

    @Test("A value ends where it ends, whatever byte follows and however near the message's end")
    func followers() {
        let plain = Self.batch(predicts: true), general = Self.batch(predicts: false)
        let values = [
            "0", "7", "12", "1234567", "12345678", "0.5", "12.25", "123.456", "1.", "00", "01", "0.", "1.2.3", "true",
            "false", "falsy", "truer", "null", #""""#, #""a""#, #""fifteen letters""#, #""sixteen letters!""#,
        ]
        for value in values {
            for byte in UInt8.min...UInt8.max {
                for tail in ["", "}", "}}", #""x":1}}"#, #""x":"long enough to load words and blocks"}}"#] {
                    let head = #"{"user_id":"u","type":"click","time":1,"properties":{"any":\#(value)"#
                    let bytes = Array(head.utf8) + [byte] + Array(tail.utf8)
                    let found = Self.outcome(bytes, plain)
                    #expect(found == Self.outcome(bytes, general), "\(String(decoding: bytes, as: UTF8.self))")
                }
            }
        }
    }

    @Test("A clock of the day that was read last is checked like any other")
    func clocks() {
        let plain = Self.batch(predicts: true), general = Self.batch(predicts: false)
        let good = Array("2026-11-21T10:20:30.456Z".utf8)
        func check(_ time: [UInt8]) {
            let rest = #"","user_id":"u","type":"click","channel":"long enough to load words"}"#
            let bytes = Array(#"{"time":""#.utf8) + time + Array(rest.utf8)
            #expect(
                Self.outcome(bytes, plain) == Self.outcome(bytes, general), "\(String(decoding: time, as: UTF8.self))")
        }
        for form in [good, Array("2026-11-21T10:20:30Z".utf8)] {
            for place in form.indices {
                for byte in UInt8.min...UInt8.max where byte != 0x22 && byte != 0x5C {
                    check(good)
                    check(form.indices.map { $0 == place ? byte : form[$0] })
                }
            }
        }
        for hour in 0...25 {
            for minute in [0, 9, 59, 60, 61, 99] {
                for second in [0, 59, 60, 61, 99] {
                    check(Array(String(format: "2026-11-21T%02d:%02d:%02d.999Z", hour, minute, second).utf8))
                }
            }
        }
    }
}

extension Array {
    /// An element at random of an array that is not empty.
    fileprivate func pick(_ generator: inout SeededGenerator) -> Element {
        self[Int.random(in: indices, using: &generator)]
    }
}
