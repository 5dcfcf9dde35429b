import Base
import Foundation
import Propensity
import Scoring
import Service
import Sinks
import TestSupport
import Testing

/// `/predict` with a log store and a team's weights, without a pipeline.
@Suite struct PredictTests {
    private final class Server {
        let server: HTTPServer
        let service: Service
        private let folder: TemporaryFolder

        init(_ folder: TemporaryFolder) throws {
            self.folder = folder
            let linear = { (name: String, intercept: Double) in
                Composition.Part.linear(
                    .init(name: name, intercept: intercept, terms: [.init(0.5, [0])], link: .logistic, centres: [2]))
            }
            let path = folder.file("shop.model")
            var builder = try ModelBuilder(
                metadata: ModelMetadata(
                    name: "shop", version: "7", treatments: ["none"], outcomes: ["shoes", "hats"],
                    featureNames: ["pages"],
                    composition: Composition(
                        kind: Composition.response, parts: [linear("shoes", 0), linear("hats", 1)],
                        effects: [.part(0), .part(1)])), path: path)
            _ = try builder.finish()
            let weights =
                #"{"features":[{"name":"pages","baseline":3,"weight":0.25},{"name":"region","baseline":"1","weight":1}]}"#
            let store = folder.file("scores.db")
            service = Service(
                served: ServedModel(model: try Model.open(path: path), level: .usual, threshold: 0), version: "test",
                scores: ScoreHistory { () throws(LogStoreError) in SQLiteLogStore(path: store, options: .init()) },
                impact: try ImpactAnalysis(json: Array(weights.utf8), name: "weights"))
            var options = ServerOptions()
            options.listen = ListenAddress(host: "127.0.0.1", port: 0)
            options.access.hosts = Access.loopbackHosts
            server = try service.start(options)
        }

        deinit {
            service.live.stop()
            server.stop()
        }

        func ask(_ method: String, _ path: String, body: String? = nil) throws -> LoopbackClient.Answer {
            let client = try #require(LoopbackClient(port: server.address.port))
            return try #require(client.request(method, path, body: body))
        }
    }

    @Test("Of several outcomes each answer is about the one it names")
    func severalOutcomes() throws {
        let server = try Server(try TemporaryFolder("predict"))
        let curve = try server.ask(
            "POST", "/v1/simulate",
            body: #"{"features":{"pages":3},"vary":[{"feature":"pages","values":[3]}],"outcome":"hats"}"#)
        let base = try #require(curve.json["base"] as? [String: Any])
        #expect(base["outcome"] as? String == "hats")
        #expect(base["probability"] as? Double == (curve.json["uplift"] as? [Double])?.first)
        let client = try #require(LoopbackClient(port: server.server.address.port))
        let csv = try #require(
            client.request("POST", "/v1/score/batch", body: "pages\n3\n-9\n", type: "text/csv"))
        let lines = csv.text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        #expect(lines.first == ["ads", "probability:shoes", "probability:hats"])
        // 3 pages: hats alone are above .7; −9: none.
        #expect(lines.dropFirst().map { String($0[0]) } == ["hats", ""], "\(csv.text)")
        let card = try server.ask("GET", "/v1/model")
        #expect(card.json["predicts"] as? String == "probability" && card.json["ads"] as? [Double] == [0.7, 0.7])
        let causal = try TestServer()
        let other = try causal.client().request("GET", "/v1/model")
        #expect(other?.json["predicts"] as? String == "effect" && other?.json["ads"] is NSNull)
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    @Test("A person is found by any id in the query, those that a path cannot have among them")
    func anyUser() throws {
        let server = try Server(try TemporaryFolder("predict"))
        let names = [
            ".", "..", "/", "a/b", "a/scores", "/scores", "%2e", "a%2Fb", " ", "a b", "+", "?", "#", "&id=x", "é",
            String(repeating: "x", count: 256),
        ]
        for name in names {
            // As encodeURIComponent does it.
            let id = name.utf8.map {
                ($0 >= 48 && $0 <= 57) || ($0 | 32 >= 97 && $0 | 32 <= 122) || $0 == 46
                    ? String(UnicodeScalar($0)) : "%" + String(Int($0) | 256, radix: 16).dropFirst()
            }.joined()
            _ = try server.ask(
                "POST", "/predict", body: #"{"customer_id":\#(Self.quoted(name)),"pages":5,"region":2}"#)
            let kept = try server.ask("GET", "/v1/user/predictions?limit=1&id=\(id)")
            #expect(kept.status == 200, "\(name)")
            #expect(kept.json["user_id"] as? String == name)
            #expect((kept.json["predictions"] as? [Any])?.count == 1, "\(name)")
            #expect(try server.ask("GET", "/v1/user/scores?id=\(id)").json["user_id"] as? String == name)
            for path in ["/v1/user", "/v1/user/explain"] {
                #expect(
                    try server.ask("GET", "\(path)?id=\(id)").json["type"] as? String
                        == "urn:impactiq:problem:no_pipeline")
            }
        }
        for path in ["/v1/user", "/v1/user/scores", "/v1/user/predictions", "/v1/user/explain"] {
            #expect(try server.ask("GET", path).status == 422)
            #expect(try server.ask("GET", "\(path)?id=").status == 422)
            #expect(try server.ask("GET", "\(path)?id=\(String(repeating: "x", count: 257))").status == 422)
            #expect(try server.ask("GET", "\(path)?id=a%00b").status == 400)
            #expect(try server.ask("GET", "\(path)?id=a%ffb").status == 400)
        }
    }

    @Test("each prediction tells what moved it, and the log store keeps it")
    func history() throws {
        let server = try Server(try TemporaryFolder("predict"))
        let body = #"{"customer_id":"c 1","pages":5,"region":2}"#
        let one = try server.ask("POST", "/predict", body: body)
        #expect(one.status == 200)
        let impacts =
            #"[{"feature":"pages","value":"5","baseline":"3.0","impact":0.5,"direction":"positive","arrow":"▲"},"#
            + #"{"feature":"region","value":"2","baseline":"1","impact":1,"direction":"positive","arrow":"▲"}]"#
        #expect(one.text.contains("\"impacts\":\(impacts)"), "\(one.text)")
        let batch = #"{"customers":[{"customer_id":8,"pages":1},{"customer_id":9,"pages":3}]}"#
        #expect(try server.ask("POST", "/predict/batch", body: batch).status == 200)
        let kept = try server.ask("GET", "/v1/users/c%201/predictions")
        let found = try #require(kept.json["predictions"] as? [[String: Any]])
        #expect(kept.status == 200 && found.map { $0["outcome"] as? String } == ["hats", "shoes"])
        #expect(kept.text.contains("\"impacts\":\(impacts)") && kept.text.contains("\"confidence\":\"high\""))
        for (customer, arrow) in [("8", "▼"), ("9", "=")] {
            let kept = try server.ask("GET", "/v1/users/\(customer)/predictions?limit=1")
            #expect(kept.text.contains("\"arrow\":\"\(arrow)\""), "\(kept.text)")
        }
        #expect(try server.ask("GET", "/v1/users/9/predictions?limit=0").status == 422)
    }

    @Test("a customer's last score in the log store answers GET /predict; contributions add up to the log odds")
    func logStoreAndContributions() throws {
        let folder = try TemporaryFolder("predict")
        let server = try Server(folder)
        let score = { (user: String, offset: Int, shoes: Double) in
            """
            {"user_id":"\(user)","time":\(100 + offset),"event_type":"ad_view","treatment":"none","outcome":"shoes",\
            "uplift":\(shoes),"std_error":null,"ci_lower":null,"ci_upper":null,"ci_level":0.95,"decision":"treat",\
            "model":"shop","model_version":"6","model_sha256":"00","source":{"topic":"e","partition":0,"offset":\(offset)},\
            "probability":\(shoes),"effects":[{"outcome":"shoes","probability":\(shoes)},\
            {"outcome":"hats","probability":0.9}]}
            """
        }
        let store = SQLiteLogStore(path: folder.file("scores.db"), options: .init())
        try store.open(stop: LogStoreStop())
        let batch = ScoreBatch(source: FollowedTopic(cluster: "c", topic: "uplift-scores"), capacity: 8)
        let builder = ScoreBatchBuilder(batch, erasesOnTombstone: false, counters: LogStoreCounters())
        builder.begin(stored: [:], next: [0: 0])
        for (offset, shoes) in [(0, 0.1), (1, 0.8)] {
            let text = Array(score("u1", offset, shoes).utf8)
            text.withUnsafeBytes { _ = builder.add(partition: 0, offset: Int64(offset), key: nil, payload: $0) }
        }
        _ = try store.append(try #require(builder.finish()))
        store.close()

        let answer = try server.ask("GET", "/predict?customer_id=u1")
        #expect(answer.status == 200)
        #expect(answer.text.contains(#""ads":["hats","shoes"]"#), "\(answer.text)")
        #expect(answer.text.contains(#""model_version":"6","from":"log_store","time":101"#))
        #expect(try server.ask("GET", "/predict?customer_id=nobody").status == 404)

        let explained = try server.ask("POST", "/v1/explain", body: #"{"features":{"pages":5}}"#)
        // 0.5 (5 − 2) = 1.5 over 0.
        #expect(
            explained.status == 200 && explained.text.contains(#""base":0,"scale":"log_odds","log_odds":1.5"#),
            "\(explained.text)")
        #expect(explained.text.contains(#""contribution":1.5"#) && explained.json["uplift"] == nil)
    }
}
