import Foundation
import Service
import TestSupport
import Testing

/// A request that cannot be answered gets a document that names what is at fault.
struct ProblemTests {
    struct Case: CustomStringConvertible {
        var method = "POST"
        var path = "/v1/score"
        var body: String?
        var type = "application/json"
        var headers: [String] = []
        var status: Int
        var code: String
        var field: String?

        var description: String { "\(method) \(path) \(body?.prefix(60) ?? "") → \(status) \(code)" }
    }

    static let cases: [Case] = [
        Case(body: "", status: 400, code: "empty_body"),
        Case(body: "{", status: 400, code: "invalid_json"),
        Case(body: "{\"features\":{\"recency\":1}", status: 400, code: "invalid_json"),
        Case(body: "{\"features\":{\"recency\":1}} x", status: 400, code: "invalid_json"),
        Case(body: "[1]", status: 400, code: "not_an_object"),
        Case(body: "{\"features\":{\"recency\":01}}", status: 400, code: "invalid_json", field: "features.recency"),
        Case(body: "{\"features\":[]}", status: 422, code: "not_an_object", field: "features"),
        Case(body: "{}", status: 422, code: "missing_field", field: "features"),
        Case(body: "{\"feature\":{}}", status: 422, code: "unknown_field", field: "feature"),
        Case(body: "{\"features\":{\"recencey\":1}}", status: 422, code: "unknown_feature", field: "features.recencey"),
        Case(body: "{\"features\":{\"recency\":\"1\"}}", status: 422, code: "field_type", field: "features.recency"),
        Case(
            body: "{\"features\":{\"recency\":1e39}}",
            status: 422, code: "number_out_of_range", field: "features.recency"),
        Case(
            body: "{\"features\":{\"recency\":1,\"recency\":2}}",
            status: 422, code: "duplicate_field", field: "features.recency"),
        Case(body: "{\"features\":{},\"features\":{}}", status: 422, code: "duplicate_field", field: "features"),
        Case(
            body: "{\"features\":{\"recency\":null}}",
            status: 422, code: "missing_feature", field: "features.recency"),
        Case(body: "{\"user_id\":[],\"features\":{}}", status: 422, code: "field_type", field: "user_id"),
        Case(body: "{\"user_id\":\"\",\"features\":{}}", status: 422, code: "user_id_empty", field: "user_id"),
        Case(body: "{\"events\":[]}", status: 422, code: "missing_field", field: "user_id"),
        Case(body: "{\"user_id\":\"u\",\"events\":[]}", status: 422, code: "no_events", field: "events"),
        Case(body: "{\"user_id\":\"u\",\"events\":{}}", status: 422, code: "field_type", field: "events"),
        Case(
            body: "{\"user_id\":\"u\",\"events\":[{\"type\":\"click\"}]}",
            status: 422, code: "missing_field", field: "events[0].time"),
        Case(
            body: "{\"user_id\":\"u\",\"events\":[{\"user_id\":\"v\",\"type\":\"click\",\"time\":1}]}", status: 422,
            code: "other_user", field: "events[0].user_id"),
        Case(
            body: "{\"user_id\":\"u\",\"events\":[],\"features\":{}}",
            status: 422, code: "ambiguous", field: "events"),
        Case(body: "{}", type: "text/plain", status: 415, code: "content_type", field: "Content-Type"),
        Case(
            body: "{}", headers: ["Content-Encoding: gzip"], status: 415, code: "content_encoding",
            field: "Content-Encoding"),
        Case(method: "GET", path: "/v1/score", status: 405, code: "method_not_allowed"),
        Case(method: "DELETE", path: "/health", status: 405, code: "method_not_allowed"),
        Case(method: "GET", path: "/v1/nothing", status: 404, code: "unknown_route"),
        Case(method: "GET", path: "/v1/users/u-1", status: 404, code: "no_pipeline"),
        Case(method: "GET", path: "/v1/users/u-1/scores", status: 404, code: "no_log_store"),
        Case(path: "/v1/score/batch", body: "{\"rows\":[]}", status: 422, code: "no_rows", field: "rows"),
        Case(path: "/v1/score/batch", body: "{}", status: 422, code: "missing_field", field: "rows"),
        Case(
            path: "/v1/score/batch", body: "{\"rows\":[{\"recency\":true},{\"recency\":\"x\"}]}",
            status: 422, code: "field_type", field: "rows[1].recency"),
        Case(
            path: "/v1/score/batch", body: "recency\nx\n", type: "text/csv",
            status: 422, code: "csv_number", field: "recency"),
        Case(
            path: "/v1/score/batch", body: "nothing\n1\n", type: "text/csv", status: 422, code: "unknown_feature",
            field: "nothing"),
        Case(path: "/v1/score/batch", body: "user_id\nu\n", type: "text/csv", status: 422, code: "csv_header"),
        Case(
            path: "/v1/score/batch", body: "recencey,history\n1,2\n", type: "text/csv",
            status: 422, code: "unknown_feature", field: "recencey"),
        Case(
            path: "/v1/score/batch", body: "user_id,user_id,recency\na,b,1\n", type: "text/csv",
            status: 422, code: "duplicate_field", field: "user_id"),
        Case(
            path: "/v1/score/batch", body: "user_id,recency\n\(String(repeating: "u", count: 257)),1\n",
            type: "text/csv",
            status: 422, code: "user_id_too_long", field: "user_id"),
        Case(
            path: "/v1/score/batch", body: "recency\n1\n", type: "text/csv; charset=iso-8859-1",
            status: 415, code: "charset", field: "Content-Type"),
        Case(body: "{}", type: "application/json; charset=latin1", status: 415, code: "charset", field: "Content-Type"),
        Case(
            path: "/v1/score/batch", body: "{\"rows\":[{},{\"features\":{\"recncy\":1}}]}",
            status: 422, code: "unknown_feature", field: "rows[1].features.recncy"),
        Case(method: "GET", path: "/v1/users/u/scores?lmit=3", status: 400, code: "unknown_parameter", field: "lmit"),
        Case(method: "GET", path: "/v1/model?x=1", status: 400, code: "unknown_parameter", field: "x"),
        Case(path: "/v1/score/batch", body: "recency,history\n1\n", type: "text/csv", status: 422, code: "csv_record"),
        Case(
            path: "/v1/score/batch", body: "{\"rows\":[{}]}", headers: ["Accept: image/png"], status: 406,
            code: "not_acceptable", field: "Accept"),
        Case(path: "/v1/simulate", body: "{\"vary\":[]}", status: 422, code: "invalid_grid", field: "vary"),
        Case(
            path: "/v1/simulate", body: "{\"vary\":[{\"feature\":\"x\"}]}",
            status: 422, code: "unknown_feature", field: "vary[0].feature"),
        Case(
            path: "/v1/simulate", body: "{\"vary\":[{\"feature\":\"recency\",\"steps\":1}]}", status: 422,
            code: "invalid_grid", field: "vary[0].steps"),
        Case(
            path: "/v1/simulate",
            body: "{\"vary\":[{\"feature\":\"recency\",\"steps\":999},{\"feature\":\"history\",\"steps\":999}]}",
            status: 422, code: "invalid_grid", field: "vary"),
        Case(
            path: "/v1/simulate", body: "{\"vary\":[{\"feature\":\"recency\",\"values\":[1],\"steps\":3}]}",
            status: 422, code: "ambiguous", field: "vary[0].steps"),
    ]

    /// The same fault of the features has the same answer by score, explain and simulate.
    @Test(
        arguments: [
            "", "{", "[1]", "{\"features\":[]}", "{\"features\":{\"recencey\":1}}",
            "{\"features\":{\"recency\":\"1\"}}",
            "{\"features\":{\"recency\":1e39}}", "{\"features\":{\"recency\":1,\"recency\":2}}",
            "{\"features\":{},\"features\":{}}", "{\"features\":{\"recency\":01}}", "{\"features\":{\"recency\":1}} x",
        ]) func theSameFaultHasTheSameAnswer(_ body: String) throws
    {
        let server = try TestServer()
        let answers = try ["/v1/score", "/v1/explain", "/v1/simulate"].map { path in
            try #require(try server.client().request("POST", path, body: body))
        }
        #expect(Set(answers.map(\.status)).count == 1)
        #expect(Set(answers.map { $0.json["type"] as? String ?? "" }).count == 1)
        #expect(Set(answers.map { $0.json["field"] as? String ?? "" }).count == 1)
    }

    @Test(arguments: cases) func namesWhatIsAtFault(_ one: Case) throws {
        let server = try TestServer()
        let client = try server.client()
        let answer = try #require(
            client.request(one.method, one.path, body: one.body, type: one.type, headers: one.headers))
        #expect(answer.status == one.status)
        #expect(answer.headers["content-type"] == "application/problem+json")
        #expect(answer.json["type"] as? String == "urn:impactiq:problem:\(one.code)")
        #expect(answer.json["status"] as? Int == one.status)
        #expect(answer.json["field"] as? String == one.field)
        #expect((answer.json["detail"] as? String)?.isEmpty == false)
        // The next request of another connection is answered as ever.
        #expect(try server.client().request("GET", "/health")?.status == 200)
    }

    @Test func aBodyTooLargeIsRefused() throws {
        let server = try TestServer()
        let announced = try server.client().request("POST", "/v1/score", headers: ["Content-Length: 99999999"])
        #expect(announced?.status == 413 && announced?.text.contains("4194304 bytes") == true)
        #expect(announced?.text.contains("rows") == false)
        let client = try server.client()
        client.write("POST /v1/score HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = String(repeating: " ", count: 1 << 16)
        for _ in 0..<72 { client.write("10000\r\n\(chunk)\r\n") }
        client.write("0\r\n\r\n")
        #expect(client.answer()?.status == 413)
    }

    @Test func tooManyRowsAreRefused() throws {
        let server = try TestServer()
        let rows = Array(repeating: "{}", count: 10_001).joined(separator: ",")
        let answer = try server.client().request("POST", "/v1/score/batch", body: "{\"rows\":[\(rows)]}")
        #expect(answer?.status == 413)
        #expect(answer?.json["field"] as? String == "rows")
    }
}
