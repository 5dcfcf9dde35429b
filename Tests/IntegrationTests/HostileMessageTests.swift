import Base
import Foundation
import Kafka
import Pipeline
import Settings
import Synchronization
import TestSupport
import Testing

/// A stream of hostile messages: each ends in the dead letter byte for byte or is scored, none stops the stream.
@Suite("Hostile messages", .serialized)
struct HostileMessageTests {
    private struct Hostile {
        var name: String
        var key: [UInt8]?
        var value: [UInt8]?
        /// The dead letter's code; nil for a message that is scored.
        var code: String?
    }

    private static func event(_ members: String, user: String = #""u""#) -> [UInt8] {
        Array("{\"user_id\":\(user),\"type\":\"ad_view\",\(members)}".utf8)
    }

    private static let time = #""time":1767225600000"#

    private static func messages() -> [Hostile] {
        let key = Array("u".utf8)
        let long = String(repeating: "x", count: 1 << 20)
        let tenMegabytes =
            Array(#"{"user_id":"u","x":""#.utf8) + [UInt8](repeating: 0x61, count: 10 << 20) + Array(#""}"#.utf8)
        return [
            Hostile(name: "good", key: key, value: event(time), code: nil),
            Hostile(name: "empty", key: key, value: [], code: "empty_message"),
            Hostile(name: "null", key: key, value: nil, code: "null_message"),
            Hostile(name: "10 MB", key: key, value: tenMegabytes, code: "message_too_large"),
            Hostile(
                name: "deep", key: key,
                value: event(
                    "\(time),\"x\":" + String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)),
                code: "nesting_too_deep"),
            Hostile(
                name: "bad UTF-8", key: key,
                value: event(time).dropLast() + [0x2C, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], code: "invalid_utf8"),
            Hostile(name: "lone surrogate", key: key, value: event(time + #","x":"\ud800""#), code: "invalid_utf8"),
            Hostile(
                name: "1e999", key: key, value: event(time + #","treatment":{"arm":"a","propensity":1e999}"#),
                code: "number_out_of_range"),
            Hostile(name: "NaN", key: key, value: event(time + #","value":NaN"#), code: "invalid_json"),
            Hostile(name: "duplicate key", key: key, value: event(time + #","type":"click""#), code: "duplicate_field"),
            Hostile(name: "missing field", key: key, value: event(#""value":1"#), code: "missing_field"),
            Hostile(name: "wrong type", key: key, value: event(time + #","treatment":"much""#), code: "field_type"),
            Hostile(
                name: "year 0", key: key, value: event(#""time":"0000-01-01T00:00:00Z""#), code: "time_out_of_range"),
            Hostile(
                name: "year 9999", key: key, value: event(#""time":"9999-12-31T23:59:59Z""#), code: "time_out_of_range"),
            Hostile(
                name: "next year", key: key,
                value: event(#""time":\#(Int64(Date().timeIntervalSince1970 * 1_000) + 400 * 86_400_000)"#),
                code: "time_in_future"),
            Hostile(
                name: "1 MB user", key: Array(long.utf8), value: event(time, user: "\"\(long.dropLast(200))\""),
                code: "user_id_too_long"),
            Hostile(name: "other key", key: Array("v".utf8), value: event(time), code: "key_mismatch"),
            Hostile(name: "no key", key: nil, value: event(time), code: "key_mismatch"),
            Hostile(name: "binary", key: [0, 255], value: (0...255).map { UInt8($0) }, code: "invalid_json"),
            Hostile(name: "good again", key: key, value: event(time), code: nil),
        ]
    }

    @Test("Each is dead-lettered byte for byte with its own code, or scored")
    func everyKind() throws {
        guard let broker = TestBroker.start() else { return }
        let folder = try ScratchDirectory()
        let harness = try PipelineHarness(broker, model: try folder.constantModel(), partitions: 1)
        let messages = Self.messages()
        try harness.produce(messages.map { ($0.key, $0.value) })
        let metrics = try harness.run(until: messages.count)

        let dead = try harness.deadLetters
        let scores = try harness.scores.map(ScoreText.init)
        #expect(scores.map(\.source.offset) == messages.indices.filter { messages[$0].code == nil }.map { Int64($0) })
        #expect(dead.count == messages.count { $0.code != nil })
        #expect(metrics.messages.value == messages.count)
        let input = try harness.input
        for letter in dead {
            let offset = try #require(letter.header("impactiq.error.offset").flatMap { Int($0) })
            let message = messages[offset]
            #expect(letter.header("impactiq.error.code") == message.code, "\(message.name)")
            #expect(letter.key == message.key, "\(message.name)")
            #expect(letter.value == message.value, "\(message.name)")
            #expect(letter.timestamp == input[offset].timestamp, "\(message.name)")
            #expect(letter.header("impactiq.error.topic") == harness.configuration.inputTopics[0])
            #expect(letter.header("impactiq.error.partition") == "0")
            #expect(letter.header("impactiq.error.application") == harness.configuration.applicationID)
            #expect(letter.header("impactiq.error.message")?.isEmpty == false)
        }
    }

    @Test("An event whose row the model refuses is dead-lettered with the feature's name")
    func missingFeature() throws {
        guard let broker = TestBroker.start() else { return }
        let folder = try ScratchDirectory()
        let model = try folder.constantModel(
            features: #"{"features":[{"name":"recency","aggregate":"last","field":"properties.recency"}]}"#)
        let harness = try PipelineHarness(broker, model: model, partitions: 1)
        try harness.produce([
            (Array("u".utf8), Self.event(Self.time)),
            (Array("u".utf8), Self.event(Self.time + #","properties":{"recency":4}"#)),
            (Array("u".utf8), Self.event(Self.time)),
        ])
        try harness.run(until: 3)
        let dead = try harness.deadLetters
        #expect(dead.count == 1)
        #expect(dead.first?.header("impactiq.error.code") == "missing_feature")
        #expect(dead.first?.header("impactiq.error.message")?.contains("recency") == true)
        #expect(try harness.scores.count == 2)
    }

    @Test("Duplicates of an event change nothing and give no second score; a restart remembers them")
    func duplicates() throws {
        guard let broker = TestBroker.start() else { return }
        let folder = try ScratchDirectory()
        let harness = try PipelineHarness(broker, model: try folder.constantModel(), partitions: 1)
        let event = Self.event(Self.time + #","id":"e-1""#)
        try harness.produce([(Array("u".utf8), event), (Array("u".utf8), event)])
        let first = try harness.run(until: 2)
        #expect(first.duplicates.value == 1)
        // A new process: the state comes back from the changelog.
        try harness.produce([(Array("u".utf8), event)])
        let second = try harness.run(until: 1)
        #expect(second.duplicates.value == 1)
        #expect(try harness.scores.count == 1)
    }
}
