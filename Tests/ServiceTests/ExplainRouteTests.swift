import Base
import Foundation
import JSON
import Service
import TestSupport
import Testing

struct ExplainRouteTests {
    /// The effect is the scorer's to the bit, base and contributions add up to it, and the base is the same in every process.
    @Test func theEffectIsTheScore() throws {
        var generator = SeededGenerator.announced()
        let server = try TestServer()
        let client = try server.client()
        func uplift(_ answer: LoopbackClient.Answer?) throws -> (Double, JSONValue) {
            let value = try JSONValue(parsing: try #require(answer).body, name: "answer")
            return (try #require(value["uplift"]?.number), value)
        }
        for _ in 0..<200 {
            let body = "{\"features\":\(server.person(&generator).json)}"
            let (score, _) = try uplift(client.request("POST", "/v1/score", body: body))
            let (explained, answer) = try uplift(client.request("POST", "/v1/explain", body: body))
            #expect(score.bitPattern == explained.bitPattern)
            let base = try #require(answer["base"]?.number)
            let parts = try #require(answer["contributions"]?.array).map { $0["contribution"]?.number ?? .nan }
            #expect(abs(parts.reduce(base, +) - score) < 1e-9)
            #expect(answer["background"]?["source"]?.string == "training_quantiles")
        }
    }

    @Test func aTypicalPersonHasValuesThatTheModelKnows() throws {
        let server = try TestServer()
        for range in server.served.ranges {
            #expect(range.choices?.contains(range.typical) ?? true)
            #expect(range.seen?.contains(range.typical) ?? true)
        }
    }
}
