import Foundation
import Service
import TestSupport
import Testing

/// Whatever is sent, nothing dies, others are answered, and memory stays.
@Suite(.serialized) struct HostileTests {
    private func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4_096
    }

    @Test func aRequestThatDripsIsCutOff() throws {
        let server = try TestServer { $0.requestSeconds = 1 }
        let slow = try server.client(seconds: 8)
        slow.write("GET /health HTTP/1.1\r\nHost: loc")
        // A byte now and then, which would keep an idle timeout from ever coming.
        var isCut = false
        for _ in 0..<60 where !isCut {
            isCut = !slow.write("a")
            usleep(100_000)
        }
        #expect(isCut)
        #expect(try server.client().request("GET", "/health")?.status == 200)
    }

    @Test func halfABodyIsCutOff() throws {
        let server = try TestServer { $0.requestSeconds = 1 }
        let client = try server.client(seconds: 8)
        client.write("POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"features\"")
        #expect(client.isClosed())
        #expect(try server.client().request("GET", "/health")?.status == 200)
    }

    @Test func giantHeadersAreRefused() throws {
        let server = try TestServer()
        let client = try server.client()
        let giant = String(repeating: "x", count: 1 << 20)
        client.write("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Giant: \(giant)\r\n\r\n")
        if let answer = client.answer() { #expect(answer.status == 431 || answer.status == 413) }
        #expect(try server.client().request("GET", "/health")?.status == 200)
    }

    /// The library hands paths out as C strings: what stands behind a NUL must not be passed over.
    @Test func aPathWithANULIsRefused() throws {
        let server = try TestServer()
        #expect(try server.client().request("GET", "/v1/model")?.status == 200)
        for path in ["/v1/model%00", "/v1/model%00/x", "/v1/users/u%00v", "/%00", "/v1/model%2500"] {
            let status = try server.client().request("GET", path)?.status
            #expect(status == (path.contains("%25") ? 404 : 400), "\(path)")
        }
    }

    @Test func bytesThatAreNoRequest() throws {
        let server = try TestServer()
        var generator = SeededGenerator.announced()
        for _ in 0..<200 {
            let client = try server.client()
            client.write(
                (0..<Int.random(in: 1...400, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
                })
        }
        #expect(try server.client().request("GET", "/health")?.status == 200)
    }

    /// libmicrohttpd answers these by itself, and must not do so once it stops.
    @Test func aStopAmongBytesThatAreNoRequest() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<100 {
            let server = try TestServer()
            let clients = try (0..<24).map { _ in try server.client() }
            for client in clients {
                client.write((0..<64).map { _ in UInt8.random(in: 0...255, using: &generator) } + [13, 10, 13, 10])
            }
            server.server.stop()
        }
    }

    /// The address sanitizer keeps freed memory for a while, so that no bound on memory holds under it.
    private static var isSanitized: Bool {
        ProcessInfo.processInfo.environment["IMPACTIQ_TEST_SANITIZER"] != nil
    }

    @Test func badRequestsLeaveMemoryFlat() throws {
        if Self.isSanitized { return print("skipped: badRequestsLeaveMemoryFlat, under the address sanitizer") }
        let server = try TestServer()
        var generator = SeededGenerator.announced()
        let good = Array("{\"features\":{\"recency\":1,\"history\":2.5e1,\"mobile\":true},\"user_id\":\"u\"}".utf8)
        func storm(_ count: Int) throws {
            var client = try server.client()
            for _ in 0..<count {
                var bytes = good
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
                        in: 0...255, using: &generator)
                }
                // In one piece: two would wait for each other's acknowledgement.
                let head = "POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(bytes.count)\r\n\r\n"
                client.write(Array(head.utf8) + bytes)
                guard let answer = client.answer() else {
                    client = try server.client()
                    continue
                }
                #expect([200, 400, 422].contains(answer.status))
            }
        }
        try storm(2_000)
        let before = residentBytes()
        try storm(8_000)
        let grown = residentBytes() - before
        print("10,000 bad requests: memory grew by \(grown >> 10) KiB over the last 8,000")
        #expect(grown < 16 << 20)
    }

    @Test func idleConnectionsDoNotKeepOthersOut() throws {
        if Self.isSanitized { return print("skipped: idleConnectionsDoNotKeepOthersOut, under the address sanitizer") }
        let server = try TestServer()
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)
        // Both ends of each connection are this process's.
        let count = min(1_000, Int(limit.rlim_cur) / 2 - 200)
        guard count > 100 else {
            return print("skipped: idleConnectionsDoNotKeepOthersOut needs more file descriptors")
        }
        let before = residentBytes()
        let idle = (0..<count).compactMap { _ in LoopbackClient(port: server.port) }
        #expect(idle.count == count)
        let client = try server.client()
        for _ in 0..<100 { #expect(client.request("GET", "/health")?.status == 200) }
        print("\(count) idle connections: \((residentBytes() - before) >> 20) MiB")
        #expect(residentBytes() - before < 128 << 20)
    }
}
