import Events
import Foundation
import JSON
import TestSupport
import Testing

/// Laws that hold for any message, whatever was read before it.
@Suite("Event reading")
struct EventReadingLaws {
    private static let schema = EventSchema(
        fields: [
            .init("value", expects: .number), .init("channel"), .init("campaign_id"), .init("currency"),
            .init("properties.a"), .init("properties.b", expects: .number),
            .init("properties.a_name_of_more_than_sixteen_bytes"),
            .init("properties.a_name_of_more_than_sixteen_bytez"), .init("properties.é"), .init("properties."),
        ], customTypes: ["own", "another type of many bytes"])

    private static func batch(predicts: Bool, capacity: Int = 1) -> EventBatch {
        var limits = EventLimits()
        limits.requiresKey = false
        // The laws are about reading: any time may stand in them.
        limits.maxBehindMilliseconds = .max
        return EventBatch(schema: schema, limits: limits, capacity: capacity, predicts: predicts)
    }

    /// All that is known of an event, or its error.
    private static func outcome(_ message: [UInt8], _ batch: EventBatch) -> String {
        EventsTests.outcome(message, batch, timestamp: 1 << 41) { event in
            "\(Array(batch.user(0))) \(Array(batch.bytes(event.typeText))) \(event.type) \(event.userHash) "
                + "\(event.time) \(event.hasID) \(event.idHash) \(event.hasTreatment) \(event.armHash) "
                + "\(event.experimentHash) \(event.propensity) \(event.user.needsEscape) \(Array(batch.fields(0)))"
        }
    }

    private static let members = [
        #""id"~:~"e-1""#, #""user_id"~:~"u-17""#, #""type"~:~"own""#, #""time"~:~"2026-11-21T10:00:00.123Z""#,
        #""campaign_id"~:~"c-\u0039""#, #""channel"~:~null"#, #""value"~:~-12.5e-1"#, #""currency"~:~"EUR""#,
        #""treatment"~:~{~"experiment_id"~:~"spring",~"x"~:~[~],~"arm"~:~"ad",~"propensity"~:~0.5~}"#,
        #""unknown"~:~{"user_id":"v","deep":[[1,2],{"a":"b"}]}"#, #""user_ie"~:~1"#,
        #""a long unknown name, thirty"~:~2"#,
        #""properties"~:~{~"a"~:~true,~"a_name_of_more_than_sixteen_bytes"~:~1,"#
            + #"~"a_name_of_more_than_sixteen_bytez"~:~"two","b"~:~3,~"é"~:~4,~""~:~"empty",~"c"~:~"\n"~}"#,
    ]

    @Test("A reader that predicts gives what one that does not gives, whatever layouts it saw before")
    func prediction() {
        var generator = SeededGenerator.announced()
        let predicting = Self.batch(predicts: true), general = Self.batch(predicts: false)
        var accepted = 0
        for _ in 0..<4_000 {
            let spaces = ["", "", " ", "\n\t", "\r\n    "]
            var chosen = Self.members.filter { _ in UInt8.random(in: 0..<10, using: &generator) > 0 }
            if UInt8.random(in: 0..<4, using: &generator) == 0 { chosen.shuffle(using: &generator) }
            let space = spaces.randomElement(using: &generator) ?? ""
            var text = "{~\(chosen.joined(separator: "~,~"))~}".replacing("~", with: space)
            if UInt8.random(in: 0..<8, using: &generator) == 0 {
                text = text.replacing(#""type""#, with: #""t\u0079pe""#)
            }
            var bytes = Array(text.utf8)
            if UInt8.random(in: 0..<4, using: &generator) == 0 {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[place] = bytes.randomElement(using: &generator) ?? 0
            }
            let found = Self.outcome(bytes, predicting)
            #expect(found == Self.outcome(bytes, general), "\(String(decoding: bytes, as: UTF8.self))")
            accepted += predicting.count
        }
        #expect(accepted > 1_000)
    }

    @Test("No beginning of a message is an event, and none is read past its end")
    func beginnings() {
        let batch = Self.batch(predicts: true)
        // A propensity whose every beginning is one too, so that only the grammar can be at fault.
        let text = "{\(Self.members.joined(separator: ","))}".replacing("~", with: "").replacing("0.5", with: "1.0")
        let bytes = Array(text.utf8)
        for _ in 0..<2 {
            #expect(!Self.outcome(bytes, batch).contains("invalid"))
            #expect(batch.count == 1)
            for count in 0..<bytes.count {
                let found = Self.outcome(Array(bytes.prefix(count)), batch)
                #expect(found.hasPrefix(count == 0 ? "emptyMessage" : "invalid"), "\(count): \(found)")
            }
        }
    }

    @Test("A second member of one name is refused, null or not, named or escaped, in each object")
    func duplicates() {
        let base = #""user_id":"u","type":"c","time":1"#
        let cases = [
            #"{\#(base),"value":null,"value":1}"#, #"{\#(base),"properties":{"a":null,"a":1}}"#,
            #"{\#(base),"properties":{"a":1,"\u0061":2}}"#, #"{\#(base),"t\u0069me":1}"#,
            #"{\#(base),"treatment":{"arm":"a","arm":null}}"#, #"{\#(base),"treatment":null,"treatment":null}"#,
        ]
        let batch = Self.batch(predicts: true)
        for text in cases { #expect(Self.outcome(Array(text.utf8), batch).hasPrefix("duplicateField"), "\(text)") }
        // What is not read may come twice; and a name seen in one message is new in the next.
        for _ in 0..<2 {
            let text = #"{\#(base),"x":1,"x":2,"properties":{"y":1,"y":1,"a":1}}"#
            #expect(!Self.outcome(Array(text.utf8), batch).contains("duplicate"))
        }
    }

    @Test("Limits count decoded bytes, and a text at the limit is taken")
    func limits() {
        let batch = Self.batch(predicts: true)
        func event(user: String, channel: String = "x", type: String = "c") -> String {
            Self.outcome(
                Array(#"{"user_id":"\#(user)","type":"\#(type)","time":1,"channel":"\#(channel)"}"#.utf8), batch)
        }
        let escapes = String(repeating: #"\u0041"#, count: 256)
        let plain = String(repeating: "A", count: 256)
        let long = event(user: plain, channel: plain, type: plain)
        #expect(event(user: escapes, channel: escapes, type: escapes) == long)
        #expect(batch.count == 1)
        #expect(event(user: plain + "A").hasPrefix("userIDTooLong"))
        #expect(event(user: escapes + "A").hasPrefix("userIDTooLong"))
        #expect(event(user: "u", channel: plain + "A").hasPrefix("textTooLong"))
        #expect(event(user: "u", type: escapes + "A").hasPrefix("textTooLong"))
        #expect(batch.count == 0)
    }

    @Test("The texts of a batch stay where they are while it fills, and an error leaves it as it was")
    func stability() throws {
        let batch = Self.batch(predicts: true, capacity: 300)
        var users: [UnsafeRawBufferPointer] = []
        for i in 0..<300 {
            let user = "user \(i) " + String(repeating: "x", count: 230)
            let good = Array(#"{"user_id":"\#(user)","type":"unknown \#(i)","time":1}"#.utf8)
            let bad = Array(#"{"user_id":"\#(user)","type":"z","time":1,"value":"#.utf8)
            // What a refused message left would fill the arena before the batch is full.
            for _ in 0..<3 {
                #expect(throws: InputError.self) {
                    try bad.withUnsafeBytes { try batch.append($0, key: nil, source: SourcePosition()) }
                }
            }
            try good.withUnsafeBytes { try batch.append($0, key: nil, source: SourcePosition()) }
            users.append(batch.user(i))
        }
        #expect(batch.foreignKeys == 300)
        for (i, user) in users.enumerated() {
            #expect(String(decoding: user, as: UTF8.self).hasPrefix("user \(i) x"))
            #expect(batch.user(i).baseAddress == user.baseAddress)
            #expect(String(decoding: batch.bytes(batch[i].typeText), as: UTF8.self) == "unknown \(i)")
        }
        batch.removeAll()
        #expect(
            batch.count == 0
                && Self.outcome(Array(#"{"user_id":"u","type":"click","time":1795255200000}"#.utf8), batch) != "")
        #expect(String(decoding: batch.bytes(batch[0].typeText), as: UTF8.self) == "click")
    }

    @Test("Inputs that a fuzzer kept give the same with and without prediction")
    func corpus() throws {
        let folder = SharedMaterial.repository.appending(path: "Tests/Fuzz/corpus/events")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(files.count >= 12)
        let predicting = Self.batch(predicts: true), general = Self.batch(predicts: false)
        for file in files + files.reversed() {
            let bytes = Array(try Data(contentsOf: file))
            #expect(Self.outcome(bytes, predicting) == Self.outcome(bytes, general), "\(file.lastPathComponent)")
        }
    }
}
