import Base
import Foundation
import Scoring
import Service
import TestSupport
import Testing

/// What stands around a request: its names, its lengths, its target, and how it counts.
struct FramingTests {
    private func status(_ server: TestServer, _ request: String) throws -> Int? {
        let client = try server.client()
        client.write(request + "\r\n\r\n")
        return client.answer()?.status
    }

    @Test func hostsAreReadWhole() throws {
        let server = try TestServer()
        func host(_ lines: String) throws -> Int? { try status(server, "GET /v1/model HTTP/1.1\r\n\(lines)") }
        for good in ["localhost", "LOCALHOST:80", "127.0.0.1:\(server.port)", "[::1]", "[::1]:8080", "localhost \t"] {
            #expect(try host("Host: \(good)") == 200, "\(good)")
        }
        for bad in [
            "[::1].evil.com", "[::1]evil", "localhost:abc", "localhost:80.evil.com", "[::1", "localhost@evil.com", "",
            "127.0.0.1:80:90",
        ] { #expect(try host("Host: \(bad)") == 403, "\(bad)") }
        #expect(try host("Host: localhost\r\nHost: localhost") == 400)
        #expect(try host("Host: localhost\r\nhost: evil.com") == 400)
    }

    @Test func theAbsoluteFormIsATarget() throws {
        let server = try TestServer()
        func get(_ target: String, _ host: String = "localhost") throws -> Int? {
            try status(server, "GET \(target) HTTP/1.1\r\nHost: \(host)")
        }
        #expect(try get("http://127.0.0.1:\(server.port)/v1/model") == 200)
        #expect(try get("HTTP://localhost/health") == 200)
        #expect(try get("http://localhost") == 200)
        // Its authority counts, not the header.
        #expect(try get("http://evil.com/v1/model") == 403)
        #expect(try get("http://localhost/v1/nothing") == 404)
    }

    @Test func lengthsMustBeClear() throws {
        let server = try TestServer()
        let body = "{\"features\":{}}"
        for lengths in [
            "Content-Length: 15\r\nContent-Length: 15", "Content-Length: 15\r\nContent-Length: 3",
            "Content-Length: 15\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 15",
        ] {
            let client = try server.client()
            client.write("POST /v1/score HTTP/1.1\r\nHost: localhost\r\n\(lengths)\r\n\r\n\(body)")
            let answer = client.answer()
            #expect(answer?.status == 400, "\(lengths)")
            #expect(client.isClosed())
        }
    }

    @Test func headOfAStreamHasNoBody() throws {
        let server = try TestServer()
        let client = try server.client()
        client.write("HEAD /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let head = try #require(client.answer(hasBody: false))
        #expect(head.status == 200 && head.headers["content-type"] == "text/event-stream")
        // The connection goes on with the next answer.
        #expect(client.request("GET", "/health")?.status == 200)
        #expect(server.service.stream.count == 0)
    }

    @Test func aStopRefusesNewConnectionsAtOnce() throws {
        let server = try TestServer { $0.stopSeconds = 60 }
        // A request in hand keeps the server stopping.
        let busy = try server.client()
        busy.write("POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        let stopping = DispatchQueue(label: "stop")
        let http = server.server
        stopping.async { http.stop() }
        // Refused while the stop still waits for the request in hand, not left waiting in the kernel's queue.
        var isRefused = false
        for _ in 0..<1_000 where !isRefused {
            isRefused = LoopbackClient(port: server.port) == nil
            usleep(10_000)
        }
        #expect(isRefused)
        busy.write(String(repeating: " ", count: 99))
        stopping.sync {}
    }

    @Test func endingsAreCounted() throws {
        let server = try TestServer { $0.requestSeconds = 1 }
        func metrics() throws -> String { try server.client().request("GET", "/metrics")?.text ?? "" }
        /// Waits until the line is there: a connection's end is noticed by another thread.
        func counted(_ route: String, _ status: Int) throws -> Bool {
            for _ in 0..<400 {
                if try metrics().contains("impactiq_http_requests_total{route=\"\(route)\",status=\"\(status)\"} 1\n") {
                    return true
                }
                usleep(10_000)
            }
            return false
        }
        do {
            let client = try server.client()
            client.write("POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            usleep(100_000)
        }
        #expect(try counted("POST /v1/score", 499))
        let slow = try server.client(seconds: 8)
        slow.write("POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        #expect(slow.isClosed())
        #expect(try counted("POST /v1/score", 408))
        let broken = try server.client()
        broken.write(
            "POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk\r\n")
        _ = broken.answer()
        #expect(try counted("POST /v1/explain", 400))
        _ = try server.client().request("GET", "/v1/score")
        #expect(try counted("POST /v1/score", 405))
    }

    /// What libmicrohttpd answers by itself is counted, once each.
    @Test func answersOfTheLibraryAreCounted() throws {
        let server = try TestServer()
        let long = String(repeating: "x", count: 40 << 10)
        var sent: [Int: Int] = [:]
        for request in [
            "GET /health HTTP/1.1\r\nHost: localhost\r\nno colon here\r\n",
            "GET /health HTTP/3.0\r\nHost: localhost\r\n",
            "GET /health HTTP/1.1\r\nHost: localhost\r\nX: \(long)\r\n", "GET /\(long) HTTP/1.1\r\nHost: localhost\r\n",
            "GET /health HTTP/1.1\r\n", "POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n",
        ] {
            for _ in 0..<3 {
                guard let status = try status(server, request) else { continue }
                sent[status, default: 0] += 1
            }
        }
        #expect(sent.keys.contains { $0 == 431 || $0 == 413 || $0 == 414 } && sent[400] != nil, "\(sent)")
        let metrics = try server.client().request("GET", "/metrics")?.text ?? ""
        var counted: [Int: Int] = [:]
        for line in metrics.split(separator: "\n") where line.hasPrefix("impactiq_http_requests_total{") {
            guard let status = line.split(separator: "\"").dropFirst(3).first.flatMap({ Int($0) }),
                let count = line.split(separator: " ").last.flatMap({ Int($0) })
            else { continue }
            counted[status, default: 0] += count
        }
        for (status, count) in sent { #expect(counted[status] == count, "\(status)") }
    }

    @Test func theKeyOfTLSIsItsOwnersAlone() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (certificate, key) = (folder.appending(path: "c.pem").path, folder.appending(path: "k.pem").path)
        func write(_ text: String, _ path: String, mode: mode_t = 0o600) throws {
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            chmod(path, mode)
        }
        func refusal() -> String? {
            do {
                _ = try ServerOptions.TLSFiles(certificatePath: certificate, keyPath: key)
                return nil
            } catch { return error.message }
        }
        try write(Self.certificate, certificate)
        try write(Self.key, key, mode: 0o644)
        #expect(refusal()?.contains("chmod 600") == true)
        chmod(key, 0o600)
        #expect(refusal() == nil)
        try write(Self.otherKey, key)
        #expect(refusal()?.contains("not that of the certificate") == true)
        for text in ["", "-----BEGIN PRIVATE KEY-----\n", String(Self.key.dropLast(60)), Self.certificate] {
            try write(text, key)
            #expect(refusal()?.contains("not a private key") == true)
        }
        try write(Self.key, key)
        for text in ["", "-----BEGIN CERTIFICATE-----\n", Self.key, String(Self.certificate.dropLast(60))] {
            try write(text, certificate)
            #expect(refusal()?.contains("not an X.509 certificate") == true)
        }
    }

    // Made for this test; they protect nothing.
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBfjCCASWgAwIBAgIUD/dIjsaJnQEZsdEePS9uf7b/XVMwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODE5MjkwMVoYDzIxMjYxMTA0
        MTkyOTAxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAAQjZL4lcQNnfZ/UlKbo5aKsOVxfUPijLVyVYZbPZ+aI5M8ZPLxzXfL7
        uUJT3gBBe0OO5BnxFacMxWI6rDzyXI2fo1MwUTAdBgNVHQ4EFgQUT1nihDcrxkm3
        QxHsuDbJQ1SwwS8wHwYDVR0jBBgwFoAUT1nihDcrxkm3QxHsuDbJQ1SwwS8wDwYD
        VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAsZAKVQrzCBALnatDnAbSp
        6cdgJHhd5WjZqnx18KLJzgIgAeMBX9XQLXxEQrc0sDUrp50Z45A/zik1KsUkRfIm
        4L4=
        -----END CERTIFICATE-----

        """
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRo77gRGZLVXBchmz
        KoZUj9wOl1daDHJeSSAzYCb3rVmhRANCAAQjZL4lcQNnfZ/UlKbo5aKsOVxfUPij
        LVyVYZbPZ+aI5M8ZPLxzXfL7uUJT3gBBe0OO5BnxFacMxWI6rDzyXI2f
        -----END PRIVATE KEY-----

        """
    private static let otherKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8zEByDb3UkgDqxKr
        8KgbK0NxmZSD8bh8VxskabmDfyqhRANCAATaQU7vIkzyd0fqvPqiAybikDrP+fya
        EBX6ZAfMXNyLaHyTotSCW7e6XveIkc1q/+JpCsQ2J2jdfvRnclHY2RV9
        -----END PRIVATE KEY-----

        """

    @Test func theDescriptionNeedsTheToken() throws {
        let server = try TestServer { $0.access.require(token: "correct-horse-battery") }
        let client = try server.client()
        #expect(client.request("GET", "/openapi.json")?.status == 401)
        #expect(
            client.request("GET", "/openapi.json", headers: ["Authorization: Bearer correct-horse-battery"])?.status
                == 200)
    }

    @Test func everyRouteIsDescribed() throws {
        let server = try TestServer()
        let paths = try #require(
            try server.client().request("GET", "/openapi.json")?.json["paths"] as? [String: [String: Any]])
        for (method, path) in server.service.described {
            #expect(paths[path]?[method.lowercased()] != nil, "\(method) \(path)")
        }
    }

    @Test func acceptChoosesByWeight() throws {
        let server = try TestServer()
        func type(_ accept: String, body: String = "{\"rows\":[{}]}") throws -> String? {
            let answer = try server.client().request(
                "POST", "/v1/score/batch", body: body, headers: ["Accept: \(accept)"])
            return answer?.status == 406 ? "406" : answer?.headers["content-type"]?.components(separatedBy: ";")[0]
        }
        #expect(try type("*/*") == "application/json")
        #expect(try type("text/csv") == "text/csv")
        #expect(try type("application/json;q=0.1, text/csv") == "text/csv")
        #expect(try type("text/csv;q=0.2, application/x-ndjson;q=0.9") == "application/x-ndjson")
        #expect(try type("text/csv;q=0, */*") == "application/json")
        #expect(try type("text/*, */*;q=0.1") == "text/csv")
        #expect(try type("application/json;q=0") == "406")
        #expect(try type("image/png") == "406")
    }

    @Test func bytesOfACSVThatAreNoText() throws {
        let server = try TestServer()
        let client = try server.client()
        let body = Array("user_id,recency\n".utf8) + [0x61, 0xFF, 0x2C, 0x31, 0x0A]
        client.write(
            Array(
                "POST /v1/score/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: \(body.count)\r\n\r\n"
                    .utf8) + body)
        let answer = try #require(client.answer())
        #expect(answer.status == 400 && answer.json["type"] as? String == "urn:impactiq:problem:invalid_utf8")
        #expect(answer.text.contains("byte 17"))
    }

    /// As `model score`: when every feature has its column, others are carried along.
    @Test func otherColumnsMayStandBesideAllFeatures() throws {
        let server = try TestServer()
        let names = server.served.model.featureNames
        let values = names.map { _ in "1" }.joined(separator: ",")
        let answer = try server.client().request(
            "POST", "/v1/score/batch", body: "note,\(names.joined(separator: ","))\nx,\(values)\n", type: "text/csv")
        #expect(answer?.status == 200)
    }
}
