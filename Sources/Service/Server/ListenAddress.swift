import Base
import Foundation

/// Where the server listens: `HOST:PORT`, `[IPv6]:PORT`; port 0 takes a free one.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    package let host: String
    package let port: UInt16

    /// - Parameter name: of the setting, for the error.
    /// - Throws: `bad_value` for what is neither.
    package init(parsing text: String, name: String = "--listen") throws(ImpactError) {
        let fault = ImpactError(
            .badConfiguration, code: "bad_value", "\(name) \(text): must be HOST:PORT, as 127.0.0.1:8080")
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw fault
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw fault }
        self.host = host
        self.port = port
    }

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only this machine reaches it.
    package var isLoopback: Bool {
        host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.split(separator: ".").count == 4)
    }

    /// The address a browser on this machine uses.
    ///
    /// - Parameter hosts: the names under which the server answers; empty: any.
    package func url(tls: Bool, hosts: Set<String> = []) -> String {
        let own = host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host.contains(":") ? "[\(host)]" : host
        let isKnown = hosts.isEmpty || hosts.contains(own.lowercased())
        let name = isKnown ? own : hosts.contains("localhost") ? "localhost" : hosts.min() ?? own
        return "\(tls ? "https" : "http")://\(name):\(port)"
    }

    /// Binds and listens; the socket is the caller's, and the address names the port that it got.
    ///
    /// - Throws: `address_in_use`, `address_not_usable`.
    package func listen() throws(ImpactError) -> (socket: Int32, address: ListenAddress) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &found)
        guard code == 0, let info = found else {
            throw ImpactError(
                .badConfiguration, code: "address_not_usable",
                "http.listen=\(self): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(
            info.pointee.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failure() }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0,
            Foundation.listen(descriptor, 1_024) == 0
        else {
            let error = failure()
            close(descriptor)
            throw error
        }
        return (descriptor, ListenAddress(host: host, port: Self.port(of: descriptor) ?? port))
    }

    private func failure() -> ImpactError {
        if errno == EADDRINUSE {
            return ImpactError(
                .failed, code: "address_in_use",
                "cannot listen on \(self): another process does already. Give another port (--listen, http.listen), "
                    + "or stop that process ('ss -ltnp' names it)")
        }
        return ImpactError(
            .badConfiguration, code: "address_not_usable",
            "cannot listen on \(self): \(String(cString: strerror(errno)))")
    }

    private static func port(of descriptor: Int32) -> UInt16? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isKnown = withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.baseAddress.map { getsockname(descriptor, $0.assumingMemoryBound(to: sockaddr.self), &length) == 0 }
                ?? false
        }
        guard isKnown else { return nil }
        // The port stands at the same place in sockaddr_in and sockaddr_in6.
        return withUnsafeBytes(of: &storage) { UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) }
    }
}
