import Base
import CMicroHTTPD
import Foundation
import Synchronization

/// Handlers and their answers.
extension HTTPServer {
    /// The thread's own exchange.
    func exchange() -> Exchange {
        if let pointer = pthread_getspecific(key) {
            return Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        }
        let exchange = Exchange()
        pthread_setspecific(key, Unmanaged.passRetained(exchange).toOpaque())
        return exchange
    }

    func run(_ connection: OpaquePointer, _ context: RequestContext) -> MHD_Result {
        let exchange = exchange()
        exchange.begin(
            connection, parameter: context.parameter, body: context.body.bytes, type: context.type,
            isHead: context.isHead)
        if let number = context.route {
            do throws(Problem) {
                try router.routes[number].handle(exchange)
            } catch {
                exchange.fail(error)
            }
        } else {
            // A browser asks before it sends a request of another site's page; the origin was found allowed.
            exchange.status = 204
        }
        return send(connection, exchange, context)
    }

    func answer(_ connection: OpaquePointer, _ context: RequestContext, problem: Problem) -> MHD_Result {
        let exchange = exchange()
        exchange.begin(connection, parameter: "", body: UnsafeRawBufferPointer(start: nil, count: 0), type: nil)
        exchange.fail(problem)
        if problem.status == 405 {
            let posts = problem.detail.contains("POST")
            exchange.allow = !problem.detail.contains("GET") ? "POST" : posts ? "GET, HEAD, POST" : "GET, HEAD"
        }
        return send(connection, exchange, context)
    }

    private func send(_ connection: OpaquePointer, _ exchange: Exchange, _ context: RequestContext) -> MHD_Result {
        defer { exchange.end() }
        context.status = exchange.status
        guard let response = response(connection, exchange) else { return HTTPServer.close }
        defer { MHD_destroy_response(response) }
        decorate(response, connection, exchange)
        return MHD_queue_response(connection, UInt32(exchange.status), response)
    }

    private func response(_ connection: OpaquePointer, _ exchange: Exchange) -> OpaquePointer? {
        if let client = exchange.stream { return response(connection, client) }
        let isGzipTaken = Self.takesGzip(exchange)
        if let asset = exchange.asset {
            exchange.type = asset.type
            if exchange.header("If-None-Match") == asset.tag {
                exchange.status = 304
                let response = impactiq_http_copy(0, nil)
                MHD_add_response_header(response, "ETag", asset.tag)
                return response
            }
            let bytes = isGzipTaken ? asset.compressed ?? asset.bytes : asset.bytes
            // The asset lives as long as the server.
            let response = bytes.withUnsafeBytes { impactiq_http_copy($0.count, $0.baseAddress) }
            MHD_add_response_header(response, "ETag", asset.tag)
            MHD_add_response_header(response, "Vary", "Accept-Encoding")
            if isGzipTaken, asset.compressed != nil { MHD_add_response_header(response, "Content-Encoding", "gzip") }
            return response
        }
        let body = exchange.out.bytes
        if isGzipTaken, body.count >= 1_400 {
            let compressed = ByteBuffer(capacity: body.count / 2)
            if Gzip.compress(body, level: 1, into: compressed) {
                let response = impactiq_http_copy(compressed.count, compressed.bytes.baseAddress)
                MHD_add_response_header(response, "Content-Encoding", "gzip")
                MHD_add_response_header(response, "Vary", "Accept-Encoding")
                return response
            }
        }
        return impactiq_http_copy(body.count, body.baseAddress)
    }

    private func response(_ connection: OpaquePointer, _ client: EventStream.Client) -> OpaquePointer? {
        client.attach(connection)
        return MHD_create_response_from_callback(
            impactiq_http_unknown_size(), 16 << 10,
            { client, _, buffer, room in
                guard let client, let buffer else { return -1 }
                return Unmanaged<EventStream.Client>.fromOpaque(client).takeUnretainedValue().read(
                    into: buffer, room: room)
            }, Unmanaged.passRetained(client).toOpaque(),
            { client in
                guard let client else { return }
                Unmanaged<EventStream.Client>.fromOpaque(client).takeRetainedValue().close()
            })
    }

    private static func takesGzip(_ exchange: Exchange) -> Bool {
        guard exchange.asset != nil || exchange.out.count >= 1_400,
            let accepted = exchange.header("Accept-Encoding")
        else { return false }
        return accepted.split(separator: ",").contains { part in
            let fields = part.split(separator: ";")
            let name = fields.first?.trimmingCharacters(in: .whitespaces).lowercased()
            let weight = fields.dropFirst().first?.filter { $0 != " " }
            return name == "gzip" && weight != "q=0" && weight != "q=0.0"
        }
    }

    private func decorate(_ response: OpaquePointer, _ connection: OpaquePointer, _ exchange: Exchange) {
        func add(_ name: StaticString, _ value: StaticString) {
            MHD_add_response_header(response, name.cString, value.cString)
        }
        if exchange.status != 304, exchange.status != 204 { add("Content-Type", exchange.type.text) }
        add("X-Content-Type-Options", "nosniff")
        if exchange.asset == nil {
            add("Cache-Control", "no-store")
        } else {
            add("Cache-Control", "no-cache")
            add("Content-Security-Policy", Self.contentPolicy)
            add("Referrer-Policy", "no-referrer")
        }
        switch exchange.status {
        case 401: add("WWW-Authenticate", "Bearer realm=\"impactiq\"")
        case 405: if let allow = exchange.allow { add("Allow", allow) }
        case 429, 503: add("Retry-After", "1")
        default: break
        }
        if exchange.endsConnection || isStopping.load(ordering: .relaxed) { add("Connection", "close") }
        guard !options.access.origins.isEmpty, let origin = exchange.header("Origin"),
            options.access.origins.contains(origin)
        else { return }
        MHD_add_response_header(response, "Access-Control-Allow-Origin", origin)
        add("Vary", "Origin")
        guard exchange.status == 204 else { return }
        add("Access-Control-Allow-Methods", "GET, POST")
        add("Access-Control-Allow-Headers", "Authorization, Content-Type")
        add("Access-Control-Max-Age", "600")
    }

    /// Pages load scripts, styles and data of this server only, and run nothing that stands in the page itself.
    static let contentPolicy: StaticString = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
        base-uri 'none'; form-action 'self'; frame-ancestors 'none'
        """
}
