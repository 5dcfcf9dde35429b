import Foundation
import Synchronization

/// A small HTTP server on this machine for one test: it answers each POST by what `answer` says.
final class LoopbackServer: Sendable {
    enum Reply: Sendable {
        case json(String)
        case status(Int, retryAfter: String?)
        /// The same, and then something happens.
        case jsonThen(String, @Sendable () -> Void)
        /// Closes the connection without a word.
        case hangUp
        /// Says nothing for so long (milliseconds).
        case silence(UInt32)
        /// Half of what the heading promises.
        case cut(String)
    }

    let port: Int
    private let socket: Int32
    private let requests = Mutex<[(headers: String, body: String)]>([])

    var received: [(headers: String, body: String)] { requests.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(port)/v1/compute_ihc?conv_type_id=test" }

    init(_ answer: @escaping @Sendable (Int, String) -> Reply) throws {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.socket = socket
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(socket, raw, size) == 0 && listen(socket, 16) == 0 && getsockname(socket, raw, &size) == 0
            }
        }
        guard bound else { throw POSIXError(.EADDRINUSE) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(socket, nil, nil)
                if connection < 0 { return }
                // A thread each: one that keeps silent holds up no other.
                Thread.detachNewThread { [self] in
                    serve(connection, answer)
                    close(connection)
                }
            }
        }
    }

    func stop() { shutdown(socket, Int32(SHUT_RDWR)); close(socket) }

    private func serve(_ connection: Int32, _ answer: (Int, String) -> Reply) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var needed = Int.max
        var start = 0
        while bytes.count < needed {
            let read = Foundation.read(connection, &buffer, buffer.count)
            if read <= 0 { return }
            bytes.append(contentsOf: buffer[..<read])
            if needed == .max {
                let text = String(decoding: bytes, as: UTF8.self)
                guard let end = text.range(of: "\r\n\r\n") else { continue }
                start = text[..<end.upperBound].utf8.count
                let header = text[..<end.lowerBound].lowercased()
                let length = header.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                needed = start + (length.flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0)
            }
        }
        let headers = String(decoding: bytes[..<start], as: UTF8.self)
        let body = String(decoding: bytes[start...], as: UTF8.self)
        let number = requests.withLock { requests in
            requests.append((headers, body))
            return requests.count - 1
        }
        switch answer(number, body) {
        case .json(let text):
            send(
                connection, "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n\(text)")
        case .jsonThen(let text, let next):
            send(
                connection, "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n\(text)")
            next()
        case .status(let status, let retryAfter):
            let extra = retryAfter.map { "Retry-After: \($0)\r\n" } ?? ""
            send(connection, "HTTP/1.1 \(status) No\r\n\(extra)Content-Length: 0\r\nConnection: close\r\n\r\n")
        case .hangUp: break
        case .silence(let milliseconds): usleep(milliseconds * 1_000)
        case .cut(let text):
            send(
                connection,
                "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count * 2)\r\nConnection: close\r\n\r\n\(text)")
        }
    }

    private func send(_ connection: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.send(connection, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }
}
