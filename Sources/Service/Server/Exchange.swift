import Base
import CMicroHTTPD
import Foundation

/// Which methods the routes take.
package enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
}

/// The types of bodies, in and out.
package enum MediaType: Sendable {
    case json, problem, jsonLines, csv, html, css, javaScript, svg, metrics, eventStream

    var text: StaticString {
        switch self {
        case .json: "application/json"
        case .problem: "application/problem+json"
        case .jsonLines: "application/x-ndjson"
        case .csv: "text/csv; charset=utf-8"
        case .html: "text/html; charset=utf-8"
        case .css: "text/css; charset=utf-8"
        case .javaScript: "text/javascript; charset=utf-8"
        case .svg: "image/svg+xml"
        case .metrics: "text/plain; version=0.0.4; charset=utf-8"
        case .eventStream: "text/event-stream"
        }
    }

    /// The charset that a header names, lower case; nil when it names none.
    static func charset(_ header: String) -> String? {
        for part in header.split(separator: ";").dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if pair.count == 2, pair[0].lowercased() == "charset" {
                return pair[1].trimmingCharacters(in: CharacterSet(charactersIn: "\"")).lowercased()
            }
        }
        return nil
    }

    /// The type that a header names; nil for one that no route reads or gives.
    init?(header: String) {
        switch header.prefix(while: { $0 != ";" }).lowercased().filter({ $0 != " " && $0 != "\t" }) {
        case "application/json": self = .json
        case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
            self = .jsonLines
        case "text/csv", "application/csv": self = .csv
        default: return nil
        }
    }
}

/// One request and its answer, as a handler sees them. Belongs to a thread of the server and is used again and again.
package final class Exchange {
    /// Of libmicrohttpd.
    private(set) var connection: OpaquePointer?
    /// The part of the path that the route's `{id}` stands for.
    package private(set) var parameter = ""

    /// Takes the parameter from the query: in a path, browsers resolve "." and ".." before they ask, and "a/scores" is another
    /// route.
    package func takeParameter(_ name: String) throws(Problem) {
        guard let connection, let value = impactiq_http_argument(connection, name) else {
            throw Problem(422, "missing_field", "name the \(name) in the query: ?\(name)=…", field: name)
        }
        guard let text = String(validatingCString: value) else {
            throw Problem(400, "invalid_utf8", "the \(name) is not UTF-8 text", field: name)
        }
        guard (1...256).contains(text.utf8.count) else {
            throw Problem(422, "invalid_field", "the \(name) must have 1 to 256 bytes", field: name)
        }
        parameter = text
    }
    /// The body's bytes; good until the handler returns.
    package private(set) var body = UnsafeRawBufferPointer(start: nil, count: 0)
    /// What the body is; nil when there is none.
    package private(set) var bodyType: MediaType?
    /// Asked for the headers alone.
    package private(set) var isHead = false

    package var status = 200
    package var type = MediaType.json
    /// Takes the body of the answer.
    package let out = ByteBuffer(capacity: 1 << 14)
    /// Answers with this instead of `out`.
    package var asset: Asset?
    /// Answers with this stream instead of `out`.
    package var stream: EventStream.Client?
    /// Sent as `Allow`.
    var allow: StaticString?
    /// Closes the connection behind the answer.
    var endsConnection = false
    /// Whether libmicrohttpd has answered a request on this thread by itself since the last one began, and it is counted.
    var isRefusalCounted = false
    /// What the handlers keep a thread: buffers, a scorer.
    package var scratch: AnyObject?

    package init() {}

    func begin(
        _ connection: OpaquePointer?, parameter: String, body: UnsafeRawBufferPointer, type: MediaType?,
        isHead: Bool = false
    ) {
        self.isHead = isHead
        endsConnection = false
        self.connection = connection
        self.parameter = parameter
        self.body = body
        bodyType = type
        status = 200
        self.type = .json
        out.removeAll()
        asset = nil
        stream = nil
        allow = nil
    }

    func end() {
        connection = nil
        asset = nil
        stream = nil
        body = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// Puts a problem document in place of what was written.
    func fail(_ problem: Problem) {
        status = problem.status
        type = .problem
        endsConnection = problem.endsConnection
        asset = nil
        stream = nil
        out.removeAll()
        problem.write(to: out)
    }

    /// A header's text.
    package func header(_ name: StaticString) -> String? {
        guard let connection, let value = impactiq_http_header(connection, name.cString) else {
            return nil
        }
        return String(cString: value)
    }

    /// A parameter of the query.
    package func query(_ name: String) -> String? {
        guard let connection, let value = impactiq_http_argument(connection, name) else {
            return nil
        }
        return String(cString: value)
    }
}

extension StaticString {
    /// Static strings end with a zero byte.
    var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
