import Base
import CMicroHTTPD
import Foundation
import Synchronization

/// The gate: what is known from the headers alone.
extension HTTPServer {
    func admit(
        _ connection: OpaquePointer, _ url: UnsafePointer<CChar>, _ method: UnsafePointer<CChar>,
        _ context: RequestContext
    ) throws(Problem) {
        func header(_ name: StaticString) -> UnsafePointer<CChar>? {
            impactiq_http_header(connection, name.cString)
        }
        let access = options.access
        try framing(connection)
        guard let url = String(validatingCString: url) else {
            throw Problem(400, "invalid_path", "the path is not UTF-8 text")
        }
        let (path, authority) = Access.target(url)
        let problem: Problem? =
            if let authority {
                authority.withCString { access.problem(host: $0) ?? access.problem(origin: header("Origin"), host: $0) }
            } else {
                access.problem(host: header("Host")) ?? access.problem(origin: header("Origin"), host: header("Host"))
            }
        if let problem { throw problem }
        context.isHead = strcmp(method, "HEAD") == 0
        let asked = context.isHead ? Method.get : Method(rawValue: String(cString: method))
        switch router.find(asked, path) {
        case .unknown:
            throw Problem(404, "unknown_route", "\(path.prefix(200)) is not a route; /openapi.json lists them")
        case .otherMethod(let allowed, let route):
            context.countedRoute = route
            if strcmp(method, "OPTIONS") == 0, header("Origin") != nil { return }
            let names = allowed.map(\.rawValue).joined(separator: ", ")
            throw Problem(405, "method_not_allowed", "this route takes \(names)")
        case .found(let match):
            context.route = match.route
            context.countedRoute = match.route
            context.parameter = match.parameter
        }
        guard let number = context.route else { return }
        let route = router.routes[number]
        if !route.isOpen, let problem = access.problem(authorization: header("Authorization")) { throw problem }
        try query(connection, route)
        guard route.method == .post else { return }
        if let encoding = header("Content-Encoding"), strcasecmp(encoding, "identity") != 0 {
            throw Problem(
                415, "content_encoding", "the body must not be compressed", field: "Content-Encoding")
        }
        context.type = try bodyType(header("Content-Type"), route)
        context.limit = min(route.maxBodyBytes, options.maxBodyBytes)
        if let length = header("Content-Length"), let bytes = Int(String(cString: length)) {
            if bytes > context.limit { throw tooLarge(context) }
            if bodyBytes.load(ordering: .relaxed) + bytes > options.maxBodiesBytes {
                throw Problem(503, "busy", "too many large requests are being read; try again in a moment")
            }
        }
    }

    /// What two servers in a row could read differently (request smuggling), and two names at once.
    private func framing(_ connection: OpaquePointer) throws(Problem) {
        func count(_ name: StaticString) -> Int32 { impactiq_http_header_count(connection, name.cString) }
        guard count("Host") <= 1 else {
            throw Problem(400, "duplicate_header", "the request has two Host headers", field: "Host")
        }
        let lengths = count("Content-Length")
        guard lengths <= 1, lengths == 0 || count("Transfer-Encoding") == 0 else {
            var problem = Problem(
                400, "ambiguous_length", "give one Content-Length or one Transfer-Encoding, not both or two of them",
                field: "Content-Length")
            problem.endsConnection = true
            throw problem
        }
    }

    /// A parameter that the route does not have is a slip of the pen.
    private func query(_ connection: OpaquePointer, _ route: Route) throws(Problem) {
        guard let known = route.query else { return }
        final class Names { var names: [String] = [] }
        let found = Names()
        MHD_get_connection_values(
            connection, impactiq_http_argument_kind(),
            { context, _, name, _ in
                if let context, let name {
                    Unmanaged<Names>.fromOpaque(context).takeUnretainedValue().names.append(String(cString: name))
                }
                return impactiq_http_result(1)
            }, Unmanaged.passUnretained(found).toOpaque())
        for name in found.names where !known.contains(name) {
            let hint = NearestName.find(name, among: known)
            throw Problem(
                400, "unknown_parameter",
                "there is no parameter \"\(name.prefix(100))\" here; "
                    + (hint.map { "did you mean \"\($0)\"?" }
                        ?? (known.isEmpty ? "the route takes none" : "known are \(known.joined(separator: ", "))")),
                field: String(name.prefix(100)))
        }
    }

    private func bodyType(_ header: UnsafePointer<CChar>?, _ route: Route) throws(Problem) -> MediaType {
        guard let header else { return route.consumes.first ?? .json }
        // The usual one, without a string.
        if strcmp(header, "application/json") == 0, route.consumes.first == .json { return .json }
        let text = String(cString: header)
        if let charset = MediaType.charset(text), !["utf-8", "utf8", "us-ascii"].contains(charset) {
            throw Problem(
                415, "charset", "the body must be UTF-8, not \(charset.prefix(100))", field: "Content-Type")
        }
        if let type = MediaType(header: text), route.consumes.contains(type) { return type }
        let names = route.consumes.map { "\($0.text)" }.joined(separator: ", ")
        // What curl sends when nobody says otherwise.
        let isOfCurl = text == "application/x-www-form-urlencoded"
        throw Problem(
            415, "content_type",
            "the body must be \(names), not \(text.prefix(100))"
                + (isOfCurl ? "; with curl, -H 'Content-Type: \((route.consumes.first ?? .json).text)'" : ""),
            field: "Content-Type")
    }
}
