import Base
import Foundation
import Scoring
import Service
import TestSupport
import Testing

struct ServerTests {
    private struct Report: AttributionSource {
        func write(to out: ByteBuffer) throws(ImpactError) { out.append("{\"channels\":[]}") }
    }
    private struct NoReport: AttributionSource {
        func write(to out: ByteBuffer) throws(ImpactError) {
            throw ImpactError(.badInput, code: "no_report", "nothing was attributed yet")
        }
    }

    @Test func theChannelReportIsThereWhenItIsSet() throws {
        func ask(_ source: (any AttributionSource)?) throws -> LoopbackClient.Answer? {
            let server = try TestServer(attribution: source)
            defer { withExtendedLifetime(server) {} }
            return try server.client().request("GET", "/v1/attribution")
        }
        let none = try ask(nil)
        #expect(none?.status == 404 && none?.text.contains("attribution.store") == true)
        let some = try ask(Report())
        #expect(some?.status == 200 && some?.text == "{\"channels\":[]}")
        let empty = try ask(NoReport())
        #expect(empty?.status == 503 && empty?.text.contains("nothing was attributed yet") == true)
    }

    @Test func healthNamesTheModel() throws {
        let server = try TestServer()
        let answer = try #require(try server.client().request("GET", "/health"))
        #expect(answer.json["status"] as? String == "healthy")
        #expect(answer.json["model_loaded"] as? Bool == true)
        let info = try #require(answer.json["model_info"] as? [String: Any])
        #expect(info["sha256"] as? String == server.served.model.sha256)
        #expect(try server.client().request("GET", "/ready")?.status == 200)
        let head = try #require(try server.client().request("HEAD", "/health"))
        #expect(head.status == 200 && head.body.isEmpty)
    }

    @Test func aTakenPortIsAClearError() throws {
        let server = try TestServer()
        #expect { try TestServer { $0.listen = server.server.address } } throws: { error in
            guard let error = error as? ImpactError else { return false }
            return error.code == "address_in_use" && error.message.contains("\(server.port)")
        }
    }

    @Test func foreignNamesAndPagesAreRefused() throws {
        let server = try TestServer { $0.access.origins = ["https://ads.example"] }
        let port = server.port
        func status(_ headers: [String]) throws -> Int? {
            let client = try server.client()
            client.write("GET /v1/model HTTP/1.1\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n")
            return client.answer()?.status
        }
        #expect(try status(["Host: localhost:\(port)"]) == 200)
        #expect(try status(["Host: [::1]:\(port)"]) == 200)
        #expect(try status(["Host: evil.example"]) == 403)
        #expect(try status(["Host: localhost.evil.example"]) == 403)
        #expect(try status(["Host: localhost", "Origin: http://localhost"]) == 200)
        #expect(try status(["Host: localhost", "Origin: https://evil.example"]) == 403)
        #expect(try status(["Host: localhost", "Origin: null"]) == 403)
        let client = try server.client()
        let allowed = try #require(client.request("OPTIONS", "/v1/score", headers: ["Origin: https://ads.example"]))
        #expect(allowed.status == 204)
        #expect(allowed.headers["access-control-allow-origin"] == "https://ads.example")
        #expect(allowed.headers["access-control-allow-headers"]?.contains("Authorization") == true)
        #expect(
            try server.client().request("OPTIONS", "/v1/score", headers: ["Origin: https://x.example"])?.status == 403)
    }

    @Test func aTokenOpensTheApiAndHealthNeedsNone() throws {
        let token = "correct-horse-battery"
        let server = try TestServer { $0.access.require(token: token) }
        let client = try server.client()
        #expect(client.request("GET", "/health")?.status == 200)
        #expect(client.request("GET", "/")?.status == 200)
        for path in ["/v1/model", "/metrics", "/v1/stream", "/v1/users/u"] {
            let answer = try #require(client.request("GET", path))
            #expect(answer.status == 401)
            #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
        }
        #expect(client.request("GET", "/v1/model", headers: ["Authorization: Bearer wrong"])?.status == 401)
        #expect(client.request("GET", "/v1/model", headers: ["Authorization: Basic \(token)"])?.status == 401)
        #expect(client.request("GET", "/v1/model", headers: ["Authorization: bearer \(token)"])?.status == 200)
    }

    @Test func tokenFilesAreChecked() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(throws: ImpactError.self) { try Access.token(fromFile: path) }
        try "0123456789abcdef\n".write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o644)
        #expect(throws: ImpactError.self) { try Access.token(fromFile: path) }
        chmod(path, 0o600)
        #expect(try Access.token(fromFile: path) == "0123456789abcdef")
        try "short".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(throws: ImpactError.self) { try Access.token(fromFile: path) }
    }

    @Test func largeAnswersAreCompressedForThoseWhoTakeIt() throws {
        let server = try TestServer()
        let client = try server.client()
        let plain = try #require(client.request("GET", "/v1/model"))
        let small = try #require(client.request("GET", "/v1/model", headers: ["Accept-Encoding: gzip"]))
        #expect(plain.headers["content-encoding"] == nil)
        #expect(small.headers["content-encoding"] == "gzip")
        #expect(small.body.prefix(2).elementsEqual([0x1F, 0x8B]) && small.body.count < plain.body.count)
        #expect(
            client.request("GET", "/v1/model", headers: ["Accept-Encoding: gzip;q=0"])?.headers["content-encoding"]
                == nil)
    }

    @Test func pagesRunNothingOfTheirOwn() throws {
        let server = try TestServer()
        let client = try server.client()
        for path in ["/", "/simulate", "/user", "/docs"] {
            let page = try #require(client.request("GET", path))
            #expect(page.status == 200)
            #expect(page.headers["content-security-policy"]?.contains("unsafe") == false)
            // Scripts and styles are files; no handler, style or script stands in the page.
            #expect(page.text.range(of: "<script>") == nil && page.text.range(of: "<style") == nil)
            #expect(page.text.range(of: " on[a-z]+=| style=|javascript:", options: .regularExpression) == nil)
            #expect(page.text.range(of: "https?://(?!www.w3.org)", options: .regularExpression) == nil)
            let again = client.request("GET", path, headers: ["If-None-Match: \(page.headers["etag"] ?? "")"])
            #expect(again?.status == 304)
        }
        for path in [
            "/assets/app.js", "/assets/dashboard.js", "/assets/simulate.js", "/assets/user.js", "/assets/docs.js",
        ] {
            let script = try #require(client.request("GET", path))
            #expect(script.status == 200)
            // Text of users becomes text nodes only.
            #expect(
                script.text.range(
                    of: "innerHTML|outerHTML|insertAdjacentHTML|document.write|eval\\(", options: .regularExpression)
                    == nil)
        }
    }

    @Test func theStreamBeginsWithWhereThingsStand() throws {
        let server = try TestServer()
        let client = try server.client()
        client.write("GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let text = try #require(client.read(until: "event: tick"))
        #expect(text.contains("text/event-stream"))
        #expect(text.contains("event: detail\ndata: {\"has_pipeline\":false,\"ready\":true"))
    }

    @Test func stoppingEndsStreamsAndRefusesNewConnections() throws {
        let server = try TestServer()
        let client = try server.client()
        client.write("GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(client.read(until: "event: detail") != nil)
        server.service.live.stop()
        server.server.stop()
        #expect(client.isClosed())
        #expect(LoopbackClient(port: server.port)?.request("GET", "/health") == nil)
    }

    @Test func requestsAreCounted() throws {
        let server = try TestServer()
        let client = try server.client()
        _ = client.request("POST", "/v1/score", body: "{\"features\":{}}")
        _ = client.request("POST", "/v1/score", body: "{")
        _ = client.request("GET", "/nothing")
        let metrics = try #require(client.request("GET", "/metrics"))
        #expect(metrics.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        #expect(metrics.text.contains(#"impactiq_http_requests_total{route="POST /v1/score",status="200"} 1"#))
        #expect(metrics.text.contains(#"impactiq_http_requests_total{route="POST /v1/score",status="400"} 1"#))
        #expect(metrics.text.contains(#"impactiq_http_requests_total{route="none",status="404"} 1"#))
        #expect(metrics.text.contains(#"impactiq_http_request_seconds_count{route="POST /v1/score"} 2"#))
    }

    @Test func addressesAreRead() throws {
        #expect(try ListenAddress(parsing: "127.0.0.1:80").isLoopback)
        #expect(try ListenAddress(parsing: "[::1]:80").host == "::1")
        #expect(try !ListenAddress(parsing: "0.0.0.0:80").isLoopback)
        #expect(try !ListenAddress(parsing: "127.evil.example:80").isLoopback)
        for text in ["", "127.0.0.1", ":80", "host:99999", "host:x"] {
            #expect(throws: ImpactError.self) { try ListenAddress(parsing: text) }
        }
    }

    @Test func metricsAreEscaped() {
        final class Owner: Sendable {
            let counts = LabeledCounter("test_total", label: "code", help: "a \\ b\nc")
        }
        let owner = Owner()
        owner.counts.add(2, "say \"hi\"\n\\")
        let out = ByteBuffer()
        MetricsText.write(MetricTable(of: owner), to: out)
        #expect(
            String(decoding: out.bytes, as: UTF8.self)
                == "# HELP test_total a \\\\ b\\nc\n# TYPE test_total counter\ntest_total{code=\"say \\\"hi\\\"\\n\\\\\"} 2\n"
        )
    }
}
