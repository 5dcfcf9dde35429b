import Base
import Events
import Foundation
import JSON
import TestSupport
import Testing

@Suite("Scores")
struct ScoreTests {
    private func batch(user: String, type: String, source: SourcePosition) throws -> EventBatch {
        var limits = EventLimits()
        limits.requiresKey = false
        let batch = EventBatch(schema: EventSchema(), limits: limits, capacity: 1)
        let object: [String: Any] = ["user_id": user, "type": type, "time": 1_795_255_200_123]
        let data = try JSONSerialization.data(withJSONObject: object)
        try data.withUnsafeBytes { try batch.append($0, key: nil, source: source) }
        return batch
    }

    private func writer(_ effects: Int) -> ScoreWriter {
        ScoreWriter(
            effects: (0..<effects).map { .init(treatment: "ad\($0)", outcome: "conversion") }, level: 0.95,
            decisions: ["treat", "suppress", "uncertain"], model: "spr\"ing", version: "3", sha256: "9f86",
            topics: ["events", "more"])
    }

    @Test("The fields stand in the contract's order")
    func order() throws {
        let batch = try batch(user: "u-17", type: "ad_view", source: SourcePosition(partition: 3, offset: 1_234))
        let out = ByteBuffer()
        let effect = ScoreWriter.Effect(uplift: 0.0123, standardError: 0.0041, lower: 0.0043, upper: 0.0203)
        withUnsafePointer(to: effect) {
            writer(1).write(
                batch[0], of: batch, effects: UnsafeBufferPointer(start: $0, count: 1), decided: 0, decision: 0,
                into: out)
        }
        let expected = """
            {"user_id":"u-17","time":1795255200123,"event_type":"ad_view","treatment":"ad0","outcome":"conversion",\
            "uplift":0.0123,"std_error":0.0041,"ci_lower":0.0043,"ci_upper":0.0203,"ci_level":0.95,"decision":"treat",\
            "model":"spr\\"ing","model_version":"3","model_sha256":"9f86",\
            "source":{"topic":"events","partition":3,"offset":1234}}
            """
        #expect(String(decoding: out.bytes, as: UTF8.self) == expected)
    }

    @Test("A response model's number has a name of its own beside uplift, in every effect")
    func response() throws {
        let batch = try batch(user: "u", type: "ad_view", source: SourcePosition(partition: 0, offset: 1))
        let writer = ScoreWriter(
            effects: ["shoes", "hats"].map { .init(treatment: "none", outcome: $0) }, level: 0.95, decisions: ["treat"],
            model: "buys", version: "1", sha256: "00", topics: ["events"], response: "probability")
        let effects = [0.25, 0.5].map {
            ScoreWriter.Effect(uplift: $0, standardError: .nan, lower: .nan, upper: .nan)
        }
        let out = ByteBuffer()
        effects.withUnsafeBufferPointer {
            writer.write(batch[0], of: batch, effects: $0, decided: 1, decision: 0, into: out)
        }
        let expected = """
            "source":{"topic":"events","partition":0,"offset":1},"probability":0.5,"effects":[\
            {"treatment":"none","outcome":"shoes","uplift":0.25,"std_error":null,"ci_lower":null,"ci_upper":null,\
            "probability":0.25},{"treatment":"none","outcome":"hats","uplift":0.5,"std_error":null,"ci_lower":null,\
            "ci_upper":null,"probability":0.5}]}
            """
        #expect(String(decoding: out.bytes, as: UTF8.self).hasSuffix(expected))
        // The log store's reader takes it as it takes any other.
        #expect(try ScoreReader().read(out.bytes).uplift == 0.5)
    }

    @Test("What is written reads back the same, for Foundation too: any user, any number, several effects")
    func roundTrip() throws {
        var generator = SeededGenerator.announced()
        let reader = ScoreReader()
        let out = ByteBuffer()
        for round in 0..<500 {
            let scalars = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
                UnicodeScalar(UInt32.random(in: 1...0x1_F64F, using: &generator)) ?? "x"
            }
            let user = String(String.UnicodeScalarView(scalars))
            let source = SourcePosition(topic: 1, partition: 7, offset: .random(in: 0 ... .max, using: &generator))
            let batch = try batch(user: user, type: "own \"type\"", source: source)
            let effects = (0..<1 + round % 3).map { _ in
                ScoreWriter.Effect(
                    uplift: .random(in: -1...1, using: &generator), standardError: round % 5 == 0 ? .nan : 0.5,
                    lower: -1e-300, upper: 1e300)
            }
            let decided = round % effects.count
            out.removeAll()
            effects.withUnsafeBufferPointer {
                writer(effects.count).write(
                    batch[0], of: batch, effects: $0, decided: decided, decision: 1, into: out)
            }
            let score = try reader.read(out.bytes)
            #expect(reader.string(score.user) == user)
            #expect(reader.string(score.eventType) == "own \"type\"")
            #expect(reader.string(score.treatment) == "ad\(decided)")
            #expect(score.uplift == effects[decided].uplift)
            #expect(score.standardError.isNaN == effects[decided].standardError.isNaN)
            #expect(score.lower == -1e-300 && score.upper == 1e300)
            #expect(reader.string(score.decision) == "suppress")
            #expect(reader.string(score.sourceTopic) == "more")
            #expect(score.sourceOffset == source.offset && score.sourcePartition == 7)
            #expect(score.effects.isPresent == (effects.count > 1))
            let foundation = try JSONSerialization.jsonObject(with: Data(out.bytes)) as? [String: Any]
            #expect(foundation?["user_id"] as? String == user)
            #expect((foundation?["effects"] as? [Any])?.count ?? 1 == effects.count)
        }
    }

    @Test(
        "What is not a score is refused",
        arguments: ["{}", "[]", "", #"{"user_id":"u"}"#, #"{"user_id":"u","user_id":"v"}"#, #"{"uplift":"high"}"#])
    func refused(text: String) {
        var bytes = Array(text.utf8)
        #expect(throws: InputError.self) {
            try bytes.withUnsafeMutableBytes { _ = try ScoreReader().read(UnsafeRawBufferPointer($0)) }
        }
    }
}
