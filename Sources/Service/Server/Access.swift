import Base
import Foundation

/// Who may ask: the token, the names under which the server may be addressed, the pages that may call it.
package struct Access: Sendable {
    /// SHA-256 of the token; nil asks for none.
    private var tokenDigest: [UInt8]?
    /// Names allowed in `Host`, lower case and without a port; empty allows any.
    package var hosts: Set<String> = []
    /// Origins of other sites whose pages may call the API.
    package var origins: Set<String> = []

    package init() {}

    package var wantsToken: Bool { tokenDigest != nil }

    /// - Parameter token: at least 16 characters.
    package mutating func require(token: String) { tokenDigest = Self.digest(token.utf8) }

    /// The names of this machine on its loopback: a page of another site whose name was made to point here (DNS
    /// rebinding) still sends its own name.
    package static let loopbackHosts: Set<String> = ["localhost", "127.0.0.1", "[::1]"]

    /// Reads a token file: one line.
    ///
    /// - Throws: `token_file` when it cannot be read, is too short, or can be read by everybody.
    package static func token(fromFile path: String) throws(ImpactError) -> String {
        func fault(_ why: String) -> ImpactError {
            ImpactError(.badConfiguration, code: "token_file", "http.token.file=\(path): \(why)")
        }
        var status = stat()
        guard stat(path, &status) == 0, let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw fault("cannot be read; make one with: (umask 077; openssl rand -hex 32 > \(path))")
        }
        guard status.st_mode & 0o007 == 0 else { throw fault("everybody can read it; chmod 600 \(path)") }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard token.utf8.count >= 16, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw fault("must be one line of at least 16 characters without spaces")
        }
        return token
    }

    /// The `Host` header's problem, if any.
    func problem(host: UnsafePointer<CChar>?) -> Problem? {
        if hosts.isEmpty { return nil }
        guard let host else { return Problem(400, "missing_host", "the request has no Host header", field: "Host") }
        let name = String(cString: host)
        if let own = Self.hostName(name), hosts.contains(own) { return nil }
        return Problem(
            403, "foreign_host",
            "this server does not answer under the name \"\(name.prefix(100))\"; http.hosts lists the names it has",
            field: "Host")
    }

    /// The problem of a request that a browser sends for a page of another site.
    func problem(origin: UnsafePointer<CChar>?, host: UnsafePointer<CChar>?) -> Problem? {
        guard let origin else { return nil }
        let text = String(cString: origin)
        if origins.contains(text) || isOwn(text, host) { return nil }
        return Problem(
            403, "foreign_origin",
            "pages of \"\(text.prefix(100))\" may not call this server; http.cors.origins lists those that may")
    }

    func isOwn(_ origin: String, _ host: UnsafePointer<CChar>?) -> Bool {
        guard let host else { return false }
        let own = String(cString: host).lowercased().trimmingCharacters(in: .whitespaces)
        return origin.lowercased() == "http://" + own || origin.lowercased() == "https://" + own
    }

    func problem(authorization: UnsafePointer<CChar>?) -> Problem? {
        guard let tokenDigest else { return nil }
        guard let authorization else {
            return Problem(401, "missing_token", "send the header Authorization: Bearer TOKEN", field: "Authorization")
        }
        let text = String(cString: authorization)
        let scheme = text.prefix(7).lowercased()
        // Digests are compared whole, so the time tells nothing about how much of a token was right.
        var difference: UInt8 = scheme == "bearer " ? 0 : 1
        for (a, b) in zip(Self.digest(text.dropFirst(7).utf8), tokenDigest) { difference |= a ^ b }
        if difference == 0 { return nil }
        return Problem(401, "wrong_token", "the token is not this server's", field: "Authorization")
    }

    private static func digest(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let digest = SHA256()
        digest.update(Array(bytes).span.bytes)
        return digest.finalize()
    }

    /// The name in a `Host` header, lower case and without its port; nil for what is no name and port.
    package static func hostName(_ header: String) -> String? {
        let text = header.lowercased().trimmingCharacters(in: .whitespaces)
        let end: String.Index
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { return nil }
            end = text.index(after: bracket)
        } else {
            end = text.firstIndex(of: ":") ?? text.endIndex
        }
        let (name, rest) = (text[..<end], text[end...])
        guard rest.isEmpty || (rest.first == ":" && rest.dropFirst().allSatisfy(\.isASCIIDigit)) else { return nil }
        let allowed: (Character) -> Bool =
            name.hasPrefix("[")
            ? { $0.isHexDigit || ":.[]".contains($0) }
            : { ($0.isASCII && ($0.isLetter || $0.isNumber)) || "-._".contains($0) }
        return name.isEmpty || !name.allSatisfy(allowed) ? nil : String(name)
    }

    /// Whether a text is an origin as browsers send it: scheme, name, and a port if it has one.
    package static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) }) else { return false }
        let name = String(text.dropFirst(scheme.count))
        return name == name.lowercased() && !name.hasSuffix(":") && hostName(name) != nil
    }

    /// A request's target without scheme and authority, which the absolute form has (RFC 9112, 3.2.2); its authority then
    /// counts instead of `Host`.
    static func target(_ url: String) -> (path: String, authority: String?) {
        let lower = url.prefix(8).lowercased()
        guard let scheme = ["http://", "https://"].first(where: { lower.hasPrefix($0) }) else { return (url, nil) }
        let rest = url.dropFirst(scheme.count)
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        return (end == rest.endIndex ? "/" : String(rest[end...]), String(rest[..<end]))
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
