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
        let host = header("Host")
        if let problem = access.problem(host: host) { throw problem }
        if let problem = access.problem(origin: header("Origin"), host: host) { throw problem }
        guard let path = String(validatingCString: url) else {
            throw Problem(400, "invalid_path", "the path is not UTF-8 text")
        }
        let isHead = strcmp(method, "HEAD") == 0
        let asked = isHead ? Method.get : Method(rawValue: String(cString: method))
        switch router.find(asked, path) {
        case .unknown:
            throw Problem(404, "unknown_route", "\(path.prefix(200)) is not a route; /openapi.json lists them")
        case .otherMethod(let allowed):
            if strcmp(method, "OPTIONS") == 0, header("Origin") != nil { return }
            let names = allowed.map(\.rawValue).joined(separator: ", ")
            throw Problem(405, "method_not_allowed", "this route takes \(names)")
        case .found(let match):
            context.route = match.route
            context.parameter = match.parameter
        }
        guard let number = context.route else { return }
        let route = router.routes[number]
        if !route.isOpen, let problem = access.problem(authorization: header("Authorization")) { throw problem }
        guard route.method == .post else { return }
        if let encoding = header("Content-Encoding"), strcasecmp(encoding, "identity") != 0 {
            throw Problem(
                415, "content_encoding", "the body must not be compressed", field: "Content-Encoding")
        }
        context.type = try bodyType(header("Content-Type"), route)
        context.limit = min(route.maxBodyBytes, options.maxBodyBytes)
        if let length = header("Content-Length"), let bytes = Int(String(cString: length)) {
            if bytes > context.limit { throw Self.tooLarge(context.limit) }
            if bodyBytes.load(ordering: .relaxed) + bytes > options.maxBodiesBytes {
                throw Problem(503, "busy", "too many large requests are being read; try again in a moment")
            }
        }
    }

    private func bodyType(_ header: UnsafePointer<CChar>?, _ route: Route) throws(Problem) -> MediaType {
        guard let header else { return route.consumes.first ?? .json }
        // The usual one, without a string.
        if strcmp(header, "application/json") == 0, route.consumes.first == .json { return .json }
        let text = String(cString: header)
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
