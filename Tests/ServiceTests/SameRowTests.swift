import Base
import Foundation
import JSON
import Scoring
import Service
import TestSupport
import Testing

/// The same values give the same bits wherever they come in: `/predict`, `/v1`, a CSV, and events as the stream reads them.
@Suite struct SameRowTests {
    private static let specification = """
        {"features":[
          {"name":"time","aggregate":"last","field":"properties.time"},
          {"name":"pages","aggregate":"last","field":"properties.pages"},
          {"name":"orders","aggregate":"count","events":["purchase"],"window":"30d"},
          {"name":"time_share","aggregate":"scale","of":["time"],"from":5,"to":60},
          {"name":"per_page","aggregate":"divide","of":["time","pages"]},
          {"name":"long","aggregate":"compare","of":["time",30],"is":">","default":0},
          {"name":"pace","aggregate":"ratio","numerator":"pages","denominator":"time"}]}
        """
    private static let derived = ["time_share", "per_page", "long", "pace"]

    private static func metadata(
        _ names: [String], specification: [UInt8] = [], preprocessing: Preprocessing
    ) -> ModelMetadata {
        let terms = (0..<preprocessing.outputCount).map { Composition.Linear.Term(0.3 - 0.17 * Double($0), [$0]) }
        return ModelMetadata(
            name: "shop", version: "1", treatments: ["none"], outcomes: ["buys"], featureNames: names,
            specification: specification,
            composition: Composition(
                kind: Composition.response,
                parts: [.linear(.init(name: "buys", intercept: -0.4, terms: terms, link: .logistic))],
                effects: [.part(0)], preprocessing: preprocessing))
    }

    private final class Server {
        let model: Model
        let server: HTTPServer
        let service: Service
        let client: LoopbackClient

        init(_ metadata: ModelMetadata, _ folder: TemporaryFolder) throws {
            let path = folder.file("shop.model")
            var builder = try ModelBuilder(metadata: metadata, path: path)
            _ = try builder.finish()
            model = try Model.open(path: path)
            service = Service(served: ServedModel(model: model, level: .usual, threshold: 0), version: "test")
            var options = ServerOptions()
            options.listen = ListenAddress(host: "127.0.0.1", port: 0)
            options.access.hosts = Access.loopbackHosts
            server = try service.start(options)
            client = try #require(LoopbackClient(port: server.address.port))
        }

        deinit {
            service.live.stop()
            server.stop()
        }

        func post(_ path: String, _ body: String) throws -> LoopbackClient.Answer {
            try #require(client.request("POST", path, body: body))
        }

        func number(_ path: String, _ body: String, _ keys: String...) throws -> Double {
            let answer = try post(path, body)
            // Not JSONSerialization, which misreads some doubles by a bit.
            var value = try JSONValue(parsing: answer.body, name: path)
            for key in keys {
                let one = value.array?.first ?? value
                value = try #require(one[key], "\(path): \(answer.text)")
            }
            let last = value.array?.first ?? value
            return try #require(last.number, "\(path): \(answer.text)")
        }
    }

    /// `model score` of a file with these columns.
    private func scored(_ model: Model, _ csv: String, _ folder: TemporaryFolder) throws -> Double {
        let input = try folder.write(csv, "rows.csv")
        let output = folder.file("scores.csv")
        _ = FileManager.default.createFile(atPath: output, contents: nil)
        let file = try #require(FileHandle(forWritingAtPath: output))
        var options = CSVOptions()
        options.columns = .minimal
        _ = try CSVScorer(model: model, options: options).run(input: input, output: file.fileDescriptor)
        let lines = try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n")
        return try #require(Double(lines[1].split(separator: ",")[0]))
    }

    @Test("derived features follow from raw ones in every route, in a CSV and in events")
    func derived() throws {
        let folder = try TemporaryFolder("same-row")
        let names = ["time", "pages", "orders", "time_share", "per_page", "long", "pace"]
        var inputs = Preprocessing(count: names.count)
        for place in names.indices { inputs.inputs[place].fill = 7 }
        let server = try Server(
            Self.metadata(names, specification: Array(Self.specification.utf8), preprocessing: inputs), folder)
        for (time, pages) in [(23.5, 7.0), (51, 3), (12.25, 0)] {
            let features = "\"time\":\(time),\"pages\":\(pages)"
            let wanted = try scored(server.model, "pages,orders,time\n\(pages),0,\(time)\n", folder)
            let long = time > 30 ? 1.0 : 0
            // The numbers themselves: what is not given follows from what is.
            let perPage = pages == 0 ? 7 : Double(Float(time / pages))
            let row = [
                time, pages, 0, Double(Float((time - 5) / 55)), perPage, long, Double(Float(pages) / Float(time)),
            ]
            let sum = row.enumerated().reduce(-0.4) { $0 + (0.3 - 0.17 * Double($1.offset)) * $1.element }
            #expect(abs(wanted - 1 / (1 + exp(-sum))) < 1e-6)
            let customer = "{\"customer_id\":1,\(features)}"
            #expect(try server.number("/predict", customer, "purchase_probability") == wanted)
            #expect(
                try server.number(
                    "/predict/batch", "{\"customers\":[\(customer)]}", "predictions", "purchase_probability") == wanted)
            #expect(try server.number("/v1/score", "{\"features\":{\(features)}}", "probability") == wanted)
            #expect(
                try server.number("/v1/score/batch", "{\"rows\":[{\(features)}]}", "scores", "probability") == wanted)
            #expect(
                try server.number(
                    "/v1/score/batch", "{\"rows\":[{\"user_id\":\"a\",\"features\":{\(features)}}]}", "scores",
                    "probability") == wanted)
            #expect(try server.number("/v1/explain", "{\"features\":{\(features)}}", "probability") == wanted)
            let simulated = try server.number(
                "/v1/simulate",
                "{\"features\":{\"pages\":\(pages)},\"vary\":[{\"feature\":\"time\",\"values\":[\(time)]}]}",
                "uplift")
            #expect(simulated == wanted)
            let event =
                "{\"type\":\"visit\",\"time\":\"2026-11-21T10:00:00Z\",\"properties\":{\"time\":\(time),\"pages\":\(pages)}}"
            #expect(
                try server.number("/v1/score", "{\"user_id\":\"a\",\"events\":[\(event)]}", "probability") == wanted)
            // A derived feature that is given stays what it is.
            let given = try scored(server.model, "pages,orders,time,long\n\(pages),0,\(time),0.5\n", folder)
            #expect(given != wanted)
            #expect(
                try server.number("/predict", "{\"customer_id\":1,\(features),\"long\":0.5}", "purchase_probability")
                    == given)
            #expect(try server.number("/v1/score", "{\"features\":{\(features),\"long\":0.5}}", "probability") == given)
        }
        // Seconds where milliseconds are meant, which the stream refuses too.
        let early = try server.post(
            "/v1/score", #"{"user_id":"a","events":[{"type":"visit","time":1795255200,"properties":{"time":1}}]}"#)
        #expect(early.status == 422 && early.json["field"] as? String == "events[0].time", "\(early.text)")
        let card = try #require(server.client.request("GET", "/v1/model", body: nil))
        #expect(card.json["predicts"] as? String == "probability" && card.json["ads"] as? [Double] == [0.7])
        let derived = (card.json["features"] as? [[String: Any]])?.filter { $0["derived"] as? Bool == true }
        #expect(derived?.map { $0["name"] as? String } == Self.derived)
    }

    @Test("categories are texts in every route; what is none of them is refused, what is unknown is unknown")
    func categories() throws {
        let folder = try TemporaryFolder("same-row")
        var inputs = Preprocessing(count: 2)
        inputs.inputs[0].fill = 1
        inputs.inputs[1] = .init(levels: ["Mobile", "Tablet"], oneHot: true)
        let server = try Server(Self.metadata(["pages", "device"], preprocessing: inputs), folder)
        var seen: Set<Double> = []
        for device in ["Mobile", "Tablet", "Fridge"] {
            let wanted = try scored(server.model, "pages,device\n3,\(device)\n", folder)
            seen.insert(wanted)
            let features = "\"pages\":3,\"device\":\"\(device)\""
            #expect(
                try server.number("/predict", "{\"customer_id\":\"a\",\(features)}", "purchase_probability") == wanted)
            #expect(try server.number("/v1/score", "{\"features\":{\(features)}}", "probability") == wanted)
            #expect(
                try server.number("/v1/score/batch", "{\"rows\":[{\(features)}]}", "scores", "probability") == wanted)
            #expect(try server.number("/v1/explain", "{\"features\":{\(features)}}", "probability") == wanted)
            let simulated = try server.number(
                "/v1/simulate",
                "{\"features\":{\"pages\":3},\"vary\":[{\"feature\":\"device\",\"values\":[\"\(device)\"]}]}",
                "uplift")
            #expect(simulated == wanted)
            let csv = try #require(
                server.client.request(
                    "POST", "/v1/score/batch", body: "device,pages\n\(device),3\n", type: "text/csv"))
            #expect(csv.text.hasPrefix("probability,decision\n\(wanted),"), "\(csv.text)")
        }
        #expect(seen.count == 3)
        for value in ["7", "true", "-1", "0.5", "[]"] {
            for (path, body) in [
                ("/v1/score", "{\"features\":{\"device\":\(value)}}"),
                ("/v1/score/batch", "{\"rows\":[{\"device\":\(value)}]}"),
                ("/v1/explain", "{\"features\":{\"device\":\(value)}}"),
                ("/v1/simulate", "{\"features\":{\"device\":\(value)},\"vary\":[{\"feature\":\"pages\"}]}"),
                ("/predict", "{\"customer_id\":1,\"device\":\(value)}"),
            ] {
                let answer = try server.post(path, body)
                #expect(answer.status == 422 && answer.text.contains("device"), "\(path) \(value): \(answer.text)")
            }
        }
        for (body, field) in [
            (#"{"customer_id":"","pages":3}"#, "customer_id"), (#"{"customer_id":1,"page":3}"#, "page"),
        ] {
            let answer = try server.post("/predict", body)
            #expect(answer.status == 422 && answer.json["field"] as? String == field, "\(answer.text)")
        }
        // Where texts are numbers, a number is the text that is written so, and never a place among them.
        inputs.inputs[1] = .init(levels: ["3", "2"], oneHot: true)
        let other = try Server(
            Self.metadata(["pages", "device"], preprocessing: inputs), try TemporaryFolder("same-row"))
        for path in ["/predict", "/v1/score"] {
            func body(_ value: String) -> String {
                path == "/predict"
                    ? "{\"customer_id\":1,\"device\":\(value)}" : "{\"features\":{\"device\":\(value)}}"
            }
            #expect(try other.post(path, body("0")).status == 422)
            let key = path == "/predict" ? "purchase_probability" : "probability"
            #expect(try other.number(path, body("2"), key) == other.number(path, body("\"2\""), key))
            #expect(try other.number(path, body("2"), key) != other.number(path, body("3"), key))
        }
        let card = try #require(server.client.request("GET", "/v1/model", body: nil))
        #expect(card.text.contains(#""choices":["Mobile","Tablet"]"#))
        let document = try #require(server.client.request("GET", "/openapi.json", body: nil))
        #expect(document.text.contains(#""examples":["Mobile","Tablet"]"#))
    }
    @Test("the column of texts behind features column=text, in every route as in a CSV")
    func textColumns() throws {
        let folder = try TemporaryFolder("same-row")
        var inputs = Preprocessing(count: 4)
        // What is missing is far from both 0 and 1.
        for place in inputs.inputs.indices { inputs.inputs[place].fill = 9 }
        let names = ["pages", "device=Mobile", "device=Tablet", "device=TV"]
        let server = try Server(Self.metadata(names, preprocessing: inputs), folder)
        for device in ["Mobile", "Tablet", "Fridge"] {
            let wanted = try scored(server.model, "device,pages\n\(device),3\n", folder)
            let features = "\"pages\":3,\"device\":\"\(device)\""
            #expect(try server.number("/v1/score", "{\"features\":{\(features)}}", "probability") == wanted)
            #expect(
                try server.number("/v1/score/batch", "{\"rows\":[{\(features)}]}", "scores", "probability") == wanted)
            #expect(try server.number("/v1/explain", "{\"features\":{\(features)}}", "probability") == wanted)
            #expect(
                try server.number(
                    "/v1/simulate",
                    "{\"features\":{\"device\":\"\(device)\"},\"vary\":[{\"feature\":\"pages\",\"values\":[3]}]}",
                    "uplift") == wanted)
            let csv = try #require(
                server.client.request(
                    "POST", "/v1/score/batch", body: "device,pages\n\(device),3\n", type: "text/csv"))
            #expect(csv.text.contains("\n\(wanted),"), "\(csv.text)")
            guard device != "Fridge" else { continue }
            // Who has one of the texts has none of the others.
            let own = "\"pages\":3,\"device=\(device)\":1"
            #expect(try server.number("/v1/score", "{\"features\":{\(own)}}", "probability") == wanted)
        }
        let twice = try server.post("/v1/score", #"{"features":{"device":"TV","device=TV":1}}"#)
        #expect(twice.status == 400 || twice.status == 422, "\(twice.text)")
        let other = try server.post("/v1/score", #"{"features":{"device":[]}}"#)
        #expect(other.status == 422 && other.text.contains("device"), "\(other.text)")
    }
}
