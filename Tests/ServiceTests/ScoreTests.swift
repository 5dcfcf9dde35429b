import Backtest
import Base
import Engine
import Events
import Foundation
import JSON
import Scoring
import Service
import TestSupport
import Testing

/// The same person gets the same numbers whichever way they are asked for.
struct ScoreTests {
    /// The effect as the kernels give it.
    private func reference(_ model: Model, _ values: [Float]) -> Estimate {
        let scorer = Scorer(model: model, maxRows: 1)
        var row = [Float](repeating: 0, count: model.rowStride)
        for (index, value) in values.enumerated() { row[index] = value }
        var estimates = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: model.effectCount)
        scorer.score(rows: row, stride: model.rowStride, count: 1, into: &estimates)
        return estimates[0]
    }

    private func text(_ value: Double) -> String {
        let buffer = ByteBuffer()
        buffer.append(value)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    /// A member's number as it stands in the text: what a reader of JSON makes of it plays no part.
    private func number(_ name: String, in text: String) -> String {
        guard let found = text.range(of: "\"\(name)\":") else { return "" }
        return String(text[found.upperBound...].prefix { !",}]".contains($0) })
    }

    @Test func featuresGiveTheBitsOfTheEngine() throws {
        let server = try TestServer()
        let client = try server.client()
        var generator = SeededGenerator.announced()
        for _ in 0..<200 {
            let person = server.person(&generator)
            let answer = try #require(client.request("POST", "/v1/score", body: "{\"features\":\(person.json)}"))
            #expect(answer.status == 200)
            let expected = reference(server.served.model, person.values)
            #expect(number("uplift", in: answer.text) == text(expected.effect))
            #expect(number("std_error", in: answer.text) == text(expected.standardError))
        }
    }

    @Test func everyFormOfABatchGivesTheSameInTheSameOrder() throws {
        let server = try TestServer()
        let client = try server.client()
        var generator = SeededGenerator.announced()
        let people = (0..<2_500).map { _ in server.person(&generator) }
        let json = "{\"rows\":[\(people.map(\.json).joined(separator: ","))]}"
        let lines = people.map(\.json).joined(separator: "\n")
        let header = server.served.model.featureNames.joined(separator: ",")
        let csv = ([header] + people.map { $0.values.map { "\($0)" }.joined(separator: ",") }).joined(separator: "\n")
        let first = try #require(client.request("POST", "/v1/score/batch", body: json))
        let second = try #require(
            client.request("POST", "/v1/score/batch", body: lines, type: "application/x-ndjson"))
        let third = try #require(client.request("POST", "/v1/score/batch", body: csv, type: "text/csv"))
        #expect(first.status == 200 && second.status == 200 && third.status == 200)
        let objects = first.text.components(separatedBy: "{\"treatment\"").dropFirst().map { number("uplift", in: $0) }
        let fromLines = second.text.split(separator: "\n").map { number("uplift", in: String($0)) }
        let fromCSV = third.text.split(separator: "\n").dropFirst().map { String($0.prefix { $0 != "," }) }
        #expect(objects.count == people.count)
        #expect(objects == fromLines)
        #expect(objects == fromCSV)
        for index in [0, 1_023, 1_024, 2_499] {
            #expect(objects[index] == text(reference(server.served.model, people[index].values).effect))
        }
    }

    @Test func modelScoreGivesTheSame() throws {
        let server = try TestServer()
        let client = try server.client()
        var generator = SeededGenerator.announced()
        let people = (0..<300).map { _ in server.person(&generator) }
        let header = server.served.model.featureNames.joined(separator: ",")
        let csv = ([header] + people.map { $0.values.map { "\($0)" }.joined(separator: ",") }).joined(separator: "\n")
        let folder = FileManager.default.temporaryDirectory.appending(path: "service-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (input, output) = (folder.appending(path: "in.csv"), folder.appending(path: "out.csv"))
        try csv.write(to: input, atomically: true, encoding: .utf8)
        var options = CSVOptions()
        options.columns = .minimal
        let descriptor = open(output.path, O_WRONLY | O_CREAT, 0o600)
        _ = try CSVScorer(model: server.served.model, options: options).run(input: input.path, output: descriptor)
        close(descriptor)
        let answer = try #require(client.request("POST", "/v1/score/batch", body: csv, type: "text/csv"))
        #expect(answer.text == (try String(contentsOf: output, encoding: .utf8)))
    }

    /// The stream's last score of a user, without its source, is the answer to the user's events byte for byte, and a
    /// replay's; the person's features, asked for by themselves, give the same numbers, and `model score` does.
    @Test func rawEventsGiveWhatTheStreamPublishes() throws {
        let server = try TestServer()
        let client = try server.client()
        var generator = SeededGenerator.announced()
        var settings = Processor.Settings()
        settings.limits.requiresKey = false
        settings.scoreEvents = ["ad_view", "click", "page_view", "add_to_cart", "purchase"]
        let processor = try Processor(model: server.served.model, settings: settings)
        for user in 0..<40 {
            let partition = Partition(0, plan: processor.plan)
            var events: [String] = []
            var time: Int64 = 1_767_225_600_000
            for index in 0..<Int.random(in: 1...30, using: &generator) {
                time += Int64.random(in: 0...200_000_000, using: &generator)
                let type = settings.scoreEvents.randomElement(using: &generator) ?? "click"
                let device = ["Mobile", "Desktop", "Tablet"].randomElement(using: &generator) ?? "Mobile"
                events.append(
                    #"{"id":"e-\#(index)","user_id":"u-\#(user)","type":"\#(type)","time":\#(time),"channel":"c\#(index % 3)","value":\#(Double.random(in: 0...99, using: &generator)),"properties":{"device_type":"\#(device)","recency":\#(Int.random(in: 0...40, using: &generator))}}"#
                )
            }
            processor.begin(partition)
            for (index, event) in events.enumerated() {
                try Array(event.utf8).withUnsafeBytes {
                    try processor.append($0, key: nil, source: SourcePosition(), tag: index)
                }
            }
            _ = processor.flush { (_, _) throws(Never) in Issue.record("a row was refused") }
            var published = ""
            partition.takeOutputs { records, bytes in
                let last = records[records.count - 1]
                published = String(
                    decoding: bytes[last.valueStart..<last.valueStart + Int(last.valueCount)], as: UTF8.self)
            }
            let body = "{\"user_id\":\"u-\(user)\",\"events\":[\(events.joined(separator: ","))]}"
            let answer = try #require(client.request("POST", "/v1/score", body: body))
            let source = try #require(published.range(of: ",\"source\""))
            #expect(answer.text == published[..<source.lowerBound] + "}")
            #expect(try replay(events, settings, server.served.model) + "}" == answer.text)
            try features(events, user, server, client, answer.text)
        }
    }

    /// The last score of a replay of these events, up to its source.
    private func replay(_ events: [String], _ settings: Processor.Settings, _ model: Model) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "service-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (input, output) = (folder.appending(path: "in.jsonl").path, folder.appending(path: "out.jsonl").path)
        try events.joined(separator: "\n").write(toFile: input, atomically: true, encoding: .utf8)
        let sources = try FileSourceFactory(paths: [input], topic: "")
        let spans = try sources.spans(from: .beginning, to: .end, warmUp: .none)
        let steps = ReplayFolder(output + ".replay")
        try steps.begin(ReplayPlan(request: [:], spans: spans))
        _ = try Replay(
            model: model, options: Replay.Options(settings: settings), spans: spans, sources: sources,
            target: FileTarget(path: output, format: .jsonl, folder: steps.path), published: nil, folder: steps
        ).run(isResumed: false, progress: { _ in }) { false }
        let text = try String(contentsOfFile: output, encoding: .utf8)
        let line = try #require(text.split(separator: "\n").last)
        return String(line[..<(try #require(line.range(of: ",\"source\""))).lowerBound])
    }

    /// The folded features as numbers, through `POST /v1/score` and `model score`.
    private func features(
        _ events: [String], _ user: Int, _ server: TestServer, _ client: LoopbackClient, _ published: String
    ) throws {
        let model = server.served.model
        let fold = try UserFold(model: model)
        let state = fold.begin()
        var result = UserFold.Result()
        for event in events { try Array(event.utf8).withUnsafeBytes { try fold.apply($0, to: state, &result) } }
        var row = [Float](repeating: 0, count: model.rowStride)
        try row.withUnsafeMutableBufferPointer { row in
            let isThere = Array("u-\(user)".utf8).withUnsafeBytes { name in
                fold.row(of: name, in: state, into: row.baseAddress!)  // The array is not empty.
            }
            try #require(isThere)
        }
        let members = zip(model.featureNames, row).map { name, value in
            "\"\(name)\":\(value.isNaN ? "null" : "\(value)")"
        }
        let one = try #require(
            client.request("POST", "/v1/score", body: "{\"features\":{\(members.joined(separator: ","))}}"))
        let header = model.featureNames.joined(separator: ",")
        let csv = header + "\n" + row.prefix(model.featureCount).map { $0.isNaN ? "" : "\($0)" }.joined(separator: ",")
        let table = try #require(client.request("POST", "/v1/score/batch", body: csv, type: "text/csv"))
        for name in ["uplift", "std_error", "ci_lower", "ci_upper"] {
            #expect(number(name, in: one.text) == number(name, in: published), "\(name)")
        }
        let cells = table.text.split(separator: "\n").last?.split(separator: ",").first.map(String.init)
        #expect(cells == number("uplift", in: published))
    }

    @Test func eventsWithoutAUserAreTheRequests() throws {
        let server = try TestServer()
        let client = try server.client()
        let event = #"{"type":"click","time":"2026-11-21T10:00:00Z"}"#
        let named = #"{"user_id":17,"type":"click","time":"2026-11-21T10:00:00Z"}"#
        let first = try #require(
            client.request("POST", "/v1/score", body: "{\"user_id\":\"17\",\"events\":[\(event)]}"))
        let second = try #require(client.request("POST", "/v1/score", body: "{\"events\":[\(named)],\"user_id\":17}"))
        #expect(first.status == 200)
        #expect(first.text == second.text)
    }

    @Test func aRefusalAmongTheEventsIsHonoured() throws {
        let server = try TestServer()
        let client = try server.client()
        func ask(_ consents: String...) throws -> (status: Int, text: String) {
            let time = #""time":"2026-11-21T10:00:00Z""#
            let events =
                [#"{"type":"click",\#(time)}"#]
                + consents.map { #"{"type":"user.consent",\#(time),"properties":{\#($0)}}"# }
                + [#"{"type":"click",\#(time)}"#]
            let body = "{\"user_id\":\"u\",\"events\":[\(events.joined(separator: ","))]}"
            let answer = try #require(client.request("POST", "/v1/score", body: body))
            return (answer.status, answer.text)
        }
        for refusal in [#""scoring":false"#, #""storing":false"#] {
            let refused = try ask(refusal)
            #expect(refused.status == 422)
            #expect(refused.text.contains("scoring_refused"))
        }
        #expect(try ask(#""scoring":true"#).status == 200)
        #expect(try ask(#""scoring":false"#, #""scoring":true"#).status == 200)
    }

    @Test func aGridHoldsTheScoresOfItsPoints() throws {
        let server = try TestServer()
        let client = try server.client()
        var generator = SeededGenerator.announced()
        let person = server.person(&generator)
        let names = server.served.model.featureNames
        let body =
            "{\"features\":\(person.json),\"vary\":[{\"feature\":\"\(names[0])\",\"values\":[0,5,9]},"
            + "{\"feature\":\"\(names[1])\",\"from\":1,\"to\":3,\"steps\":3}]}"
        let answer = try #require(client.request("POST", "/v1/simulate", body: body))
        #expect(answer.status == 200)
        // Not by Foundation, whose reader is a bit or two off.
        let json = try JSONValue(parsing: answer.body, name: "answer")
        guard case .array(let numbers)? = json["uplift"] else {
            Issue.record("no list of effects in \(answer.text)")
            return
        }
        let uplifts = numbers.compactMap { if case .number(let value) = $0 { value } else { nil as Double? } }
        #expect(uplifts.count == 9)
        for (row, first) in [0, 5, 9].enumerated() {
            for (column, second) in [1, 2, 3].enumerated() {
                var values = person.values
                values[0] = Float(first)
                values[1] = Float(second)
                #expect(uplifts[row * 3 + column] == reference(server.served.model, values).effect)
            }
        }
    }

    @Test func contributionsAddUpToTheEffect() throws {
        let server = try TestServer()
        let client = try server.client()
        var generator = SeededGenerator.announced()
        for _ in 0..<20 {
            let person = server.person(&generator)
            let answer = try #require(client.request("POST", "/v1/explain", body: "{\"features\":\(person.json)}"))
            #expect(answer.status == 200)
            let base = try #require(answer.json["base"] as? Double)
            let list = try #require(answer.json["contributions"] as? [[String: Any]])
            #expect(list.map { $0["feature"] as? String } == server.served.model.featureNames)
            let sum = list.reduce(base) { $0 + ($1["contribution"] as? Double ?? .nan) }
            #expect(abs(sum - reference(server.served.model, person.values).effect) < 1e-9)
        }
    }

    @Test func aFeatureLeftOutIsThatOfAnUnknownPerson() throws {
        let server = try TestServer()
        let client = try server.client()
        let answer = try #require(client.request("POST", "/v1/score", body: "{\"features\":{}}"))
        #expect(answer.status == 200)
        // The specification's defaults.
        let explicit = #"{"features":{"recency":20,"history":67,"tenure":365,"since_purchase":2592000}}"#
        #expect(client.request("POST", "/v1/score", body: explicit)?.text == answer.text)
    }
}
