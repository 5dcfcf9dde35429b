import Base
import Events
import JSON
import TestSupport
import Testing

/// What the reader takes is what the tree of the same message says; what it does not take is left to the tree.
@Suite struct TouchReaderTests {
    private func read(_ line: String) -> (TouchReader.Outcome, TouchEvent, [UInt8]) {
        let bytes = Array(line.utf8)
        var event = TouchEvent()
        let outcome = bytes.withUnsafeBytes { TouchReader().read($0, into: &event) }
        return (outcome, event, bytes)
    }

    private func text(_ text: TouchEvent.Text, _ bytes: [UInt8]) -> String? {
        text.isPresent ? String(decoding: bytes[Int(text.start)..<Int(text.start + text.count)], as: UTF8.self) : nil
    }

    private func said(_ value: JSONValue?) -> String? {
        value?.string ?? value?.number.flatMap { Int(exactly: $0).map(String.init) }
    }

    @Test func whatIsTakenIsWhatTheTreeSays() throws {
        var generator = SeededGenerator.announced("touch reader")
        func pick(_ values: [String]) -> String { values[Int.random(in: 0..<values.count, using: &generator)] }
        let reader = TouchReader()
        var taken = 0
        for _ in 0..<20_000 {
            var members: [String] = []
            func add(_ name: String, _ values: [String]) {
                // The first value is a plain one.
                let value = Int.random(in: 0..<9, using: &generator) > 0 ? values[0] : pick(values)
                if Int.random(in: 0..<20, using: &generator) > 0 { members.append("\"\(name)\":\(value)") }
            }
            let texts = [
                "\"a\"", "\"\"", "\"größer\"", "\"x\\u0041\"", "17", "-3", "1.5", "null", "[1]",
                "\"\(String(repeating: "long ", count: 9))\"",
            ]
            add("id", texts)
            add("user_id", texts)
            add(
                "type",
                [
                    "\"click\"", "\"ad_view\"", "\"purchase\"", "\"refund\"", "\"profile\"", "\"ad_cost\"", "7",
                    "\"c\\u006cick\"",
                ])
            add(
                "time",
                [
                    "1767225600000", "\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:00.250+01:00\"", "9e18",
                    "\"soon\"", "null", "-5",
                ])
            add("channel", texts)
            add("campaign_id", texts)
            add("value", ["1", "12.50", "1e3", "\"4\"", "null", "0.1"])
            add("currency", texts)
            add("order_id", texts)
            add("unknown", ["{\"a\":[1,2,{}]}", "true", "\"x\""])
            add(
                "properties", ["{\"value\":5.25,\"order_id\":\"p\"}", "{\"other\":1}", "{}", "3", "{\"value\":\"no\"}"])
            members.shuffle(using: &generator)
            var line = "{" + members.joined(separator: pick([",", " ,\n"])) + "}"
            if Int.random(in: 0..<20, using: &generator) == 0 { line.removeLast() }
            let bytes = Array(line.utf8)
            var event = TouchEvent()
            let outcome = bytes.withUnsafeBytes { reader.read($0, into: &event) }
            guard outcome != .general else { continue }
            let tree = try JSONValue(parsing: bytes, name: "event")
            let type = try #require(tree["type"]?.string)
            if outcome == .otherType {
                #expect(!TouchReader.types.contains(type) && type != "ad_cost", "\(line)")
                continue
            }
            taken += 1
            #expect(TouchReader.types[event.type] == type, "\(line)")
            #expect(text(event.id, bytes) == said(tree["id"]), "\(line)")
            #expect(text(event.user, bytes) == said(tree["user_id"]), "\(line)")
            #expect(text(event.channel, bytes) == tree["channel"]?.string, "\(line)")
            #expect(text(event.campaign, bytes) == said(tree["campaign_id"]), "\(line)")
            #expect(text(event.currency, bytes) == tree["currency"]?.string, "\(line)")
            #expect(
                text(event.order, bytes) == said(tree["order_id"]) ?? said(tree["properties"]?["order_id"]), "\(line)")
            let value = tree["value"]?.number ?? tree["properties"]?["value"]?.number
            #expect(event.value == value || event.value.isNaN && value == nil, "\(line)")
            if let number = tree["time"]?.number {
                #expect(event.time == Int64(number), "\(line)")
            } else {
                let time = try #require(tree["time"]?.string)
                #expect(event.time == Array(time.utf8).withUnsafeBytes { RFC3339.parse($0) }, "\(line)")
            }
        }
        #expect(taken > 1_000)
    }

    @Test func whatIsOddIsLeft() {
        for line in [
            "", "[]", "{\"type\":\"click\"}", "{\"type\":\"click\",\"user_id\":\"u\"}",
            "{\"type\":\"click\",\"user_id\":\"\",\"time\":5}",
            "{\"type\":\"click\",\"user_id\":\"u\",\"time\":5,\"time\":6}",
            "{\"type\":\"user.delete\",\"user_id\":\"u\",\"time\":5}",
            "{\"type\":\"click\",\"user_id\":\"u\",\"time\":5} x",
        ] {
            #expect(read(line).0 == .general, "\(line)")
        }
    }
}
