import Foundation

/// A client of HTTP/1.1 over a plain socket, so that tests can also send what no library would.
package final class LoopbackClient {
    package struct Answer {
        package var status = 0
        package var headers: [String: String] = [:]
        package var body: [UInt8] = []

        package var text: String { String(decoding: body, as: UTF8.self) }
        package var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:]
        }
    }

    package let descriptor: Int32
    private var buffer: [UInt8] = []

    /// - Parameter seconds: after which a read gives up.
    package init?(port: UInt16, seconds: Int = 10) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if !isConnected {
            close(descriptor)
            return nil
        }
    }

    deinit { close(descriptor) }

    @discardableResult
    package func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    @discardableResult
    package func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// One request and its answer; nil when the server closed the connection instead.
    package func request(
        _ method: String, _ path: String, body: String? = nil, type: String = "application/json",
        headers: [String] = []
    ) -> Answer? {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if let body { text += "Content-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n" }
        for header in headers { text += header + "\r\n" }
        write(text + "\r\n" + (body ?? ""))
        return answer(hasBody: method != "HEAD")
    }

    package func answer(hasBody: Bool = true) -> Answer? {
        let end = Array("\r\n\r\n".utf8)
        var head = 0
        while true {
            if let found = buffer.firstRange(of: end) {
                head = found.lowerBound
                break
            }
            guard fill() else { return nil }
        }
        let lines = String(decoding: buffer[..<head], as: UTF8.self).split(separator: "\r\n")
        buffer.removeFirst(head + 4)
        var answer = Answer()
        answer.status = lines.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            answer.headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let length = answer.headers["content-length"].flatMap { Int($0) } ?? 0
        guard hasBody else { return answer }
        while buffer.count < length { guard fill() else { return nil } }
        answer.body = Array(buffer.prefix(length))
        buffer.removeFirst(length)
        return answer
    }

    /// Reads until some text was seen; nil when the connection ended first.
    package func read(until wanted: String) -> String? {
        while true {
            let text = String(decoding: buffer, as: UTF8.self)
            if text.contains(wanted) { return text }
            guard fill() else { return nil }
        }
    }

    /// Whether the server closes within the reading's time.
    package func isClosed() -> Bool {
        var byte = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = recv(descriptor, &byte, byte.count, 0)
            if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
            if count < 0 { return false }
        }
    }

    private func fill() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return false }
        buffer += bytes.prefix(count)
        return true
    }
}
