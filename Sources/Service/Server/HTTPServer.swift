import Base
import CMicroHTTPD
import Foundation
import Synchronization

/// HTTP/1.1 on libmicrohttpd: a pool of threads with epoll, keep-alive, and bounds on everything a client can send.
///
/// ```
/// headers ─► gate (host, origin, token, route, method, type, length) ─► body ─► handler ─► answer
///               │ Problem: answered at once, the body is not read
/// ```
/// A handler runs on a thread of the pool and must not wait. Stopping refuses new connections, lets requests in hand
/// finish, and ends the streams.
package final class HTTPServer: Sendable {
    package let options: ServerOptions
    /// With the port that it got.
    package let address: ListenAddress
    package let metrics: RequestMetrics
    package let stream: EventStream
    private let router: Router
    let watch = ConnectionWatch()
    /// Bytes of bodies held now.
    private let bodyBytes = Atomic<Int>(0)
    private let inHand = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private let hasStopped = Atomic<Bool>(false)
    private let daemon: Atomic<UInt>
    private let pool = Mutex<[RequestContext]>([])
    private let key: pthread_key_t

    /// Listens and answers from now on.
    ///
    /// - Throws: `address_in_use`, `address_not_usable`; `http_start` when libmicrohttpd refuses.
    package init(options: ServerOptions, routes: [Route], stream: EventStream = EventStream()) throws(ImpactError) {
        self.options = options
        self.stream = stream
        router = Router(routes)
        metrics = RequestMetrics(routes: routes.map { "\($0.method.rawValue) \($0.path)" })
        daemon = Atomic(0)
        var key = pthread_key_t()
        pthread_key_create(&key) { value in
            if let value { Unmanaged<Exchange>.fromOpaque(value).release() }
        }
        self.key = key
        Self.raiseFileLimit(to: UInt(options.maxConnections) + 1_024)
        let (socket, address) = try options.listen.listen()
        self.address = address
        let started = start(socket)
        guard let started else {
            Foundation.close(socket)
            throw ImpactError(
                .failed, code: "http_start",
                "libmicrohttpd did not start on \(address)"
                    + (options.certificate == nil ? "" : "; do the certificate and its key belong together?"))
        }
        daemon.store(UInt(bitPattern: started), ordering: .releasing)
        startSweeping()
    }

    /// Most systems give a process 1,024 descriptors and let it ask for more.
    private static func raiseFileLimit(to needed: UInt) {
        let files = __rlimit_resource_t(7)  // RLIMIT_NOFILE
        var limit = rlimit()
        guard getrlimit(files, &limit) == 0, limit.rlim_cur < needed else { return }
        limit.rlim_cur = min(limit.rlim_max, needed)
        setrlimit(files, &limit)
    }

    private func start(_ socket: Int32) -> OpaquePointer? {
        var settings = impactiq_http_options()
        settings.socket = socket
        settings.threads = UInt32(max(1, options.threads))
        settings.connections = UInt32(options.maxConnections)
        settings.connections_per_address = UInt32(options.maxConnections)
        settings.idle_seconds = UInt32(options.idleSeconds)
        settings.connection_bytes = 32 << 10
        settings.stack_bytes = 2 << 20
        settings.context = Unmanaged.passUnretained(self).toOpaque()
        settings.handler = { context, connection, url, method, _, data, size, request in
            guard let context, let request, let size else { return HTTPServer.close }
            return Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().handle(
                connection, url, method, data, size, request)
        }
        settings.completed = { context, connection, request, _ in
            guard let context, let request else { return }
            Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().completed(connection, request)
        }
        settings.connection = { context, connection, entry, code in
            guard let context, let entry else { return }
            Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().connection(connection, entry, code)
        }
        guard let tls = options.certificate else { return impactiq_http_start(&settings) }
        return tls.certificate.withCString { certificate in
            tls.key.withCString { key in
                settings.certificate = certificate
                settings.private_key = key
                return impactiq_http_start(&settings)
            }
        }
    }

    /// A thread that shuts slow connections down, once a second.
    private func startSweeping() {
        let thread = Thread { [weak self] in
            while let server = self, !server.hasStopped.load(ordering: .relaxed) {
                server.metrics.slow.add(server.watch.sweep())
                server.metrics.connections.set(server.watch.count)
                server.metrics.streams.set(server.stream.count)
                Thread.sleep(forTimeInterval: 1)
            }
        }
        thread.name = "http-watch"
        thread.stackSize = 1 << 18
        thread.start()
    }

    /// Refuses new connections, lets requests in hand finish, ends the streams and closes. Once is enough.
    package func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        guard let started = OpaquePointer(bitPattern: daemon.load(ordering: .acquiring)) else { return }
        let socket = MHD_quiesce_daemon(started)
        stream.finish()
        let end = ContinuousClock.now + .seconds(options.stopSeconds)
        while inHand.load(ordering: .acquiring) > 0, ContinuousClock.now < end { usleep(10_000) }
        MHD_stop_daemon(started)
        if socket >= 0 { Foundation.close(socket) }
        hasStopped.store(true, ordering: .releasing)
    }

    deinit {
        stop()
        pthread_key_delete(key)
    }
}

/// What is known of a request before its body is there. From a pool, for one request at a time.
///
/// @unchecked Sendable: a request is one thread's.
private final class RequestContext: @unchecked Sendable {
    let body = ByteBuffer(capacity: 4_096)
    var route: Int?
    var parameter = ""
    var type: MediaType?
    var isTooLarge = false
    /// Why the request is refused, when that is told after its last byte.
    var refusal: Problem?
    var limit = 0
    var status = 0
    var began: UInt64 = 0
    /// Bytes counted in the server's total.
    var counted = 0
}

extension HTTPServer {
    /// What a callback of libmicrohttpd returns: the connection goes on, or is closed.
    private static let goOn = impactiq_http_result(1)
    private static let close = impactiq_http_result(0)

    // MARK: Callbacks of libmicrohttpd, on its threads

    private func connection(
        _ connection: OpaquePointer?, _ entry: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
        _ code: MHD_ConnectionNotificationCode
    ) {
        if impactiq_http_is_start(code) != 0 {
            guard let connection else { return }
            let added = watch.add(descriptor: impactiq_http_descriptor(connection), seconds: options.requestSeconds)
            entry.pointee = Unmanaged.passRetained(added).toOpaque()
        } else if let pointer = entry.pointee {
            watch.remove(Unmanaged<ConnectionWatch.Entry>.fromOpaque(pointer).takeRetainedValue())
            entry.pointee = nil
        }
    }

    /// Gives the connection so many seconds; nil: as long as it takes.
    private func allow(_ connection: OpaquePointer, seconds: Int?) {
        guard let pointer = impactiq_http_socket_context(connection) else { return }
        let entry = Unmanaged<ConnectionWatch.Entry>.fromOpaque(pointer).takeUnretainedValue()
        entry.deadline.store(seconds.map { ConnectionWatch.now() + $0 } ?? .max, ordering: .relaxed)
    }

    private func completed(
        _ connection: OpaquePointer?, _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) {
        guard let pointer = request.pointee else { return }
        request.pointee = nil
        let context = Unmanaged<RequestContext>.fromOpaque(pointer).takeRetainedValue()
        let nanoseconds = Self.nanoseconds() &- context.began
        metrics.count(
            route: context.route, status: context.status == 0 ? 408 : context.status, seconds: Double(nanoseconds) / 1e9
        )
        if context.counted > 0 { bodyBytes.wrappingSubtract(context.counted, ordering: .relaxed) }
        if let connection { allow(connection, seconds: options.idleSeconds) }
        inHand.wrappingSubtract(1, ordering: .releasing)
        // What a large body needed goes back to the system.
        guard context.body.capacity <= 1 << 16 else { return }
        pool.withLock { if $0.count < 256 { $0.append(context) } }
    }

    private func handle(
        _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?, _ method: UnsafePointer<CChar>?,
        _ data: UnsafePointer<CChar>?, _ size: UnsafeMutablePointer<Int>,
        _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> MHD_Result {
        guard let connection, let url, let method else { return HTTPServer.close }
        guard let pointer = request.pointee else {
            let context = begin()
            request.pointee = Unmanaged.passRetained(context).toOpaque()
            allow(connection, seconds: options.requestSeconds)
            do throws(Problem) {
                try admit(connection, url, method, context)
                return Self.goOn
            } catch {
                // libmicrohttpd closes a connection that is answered before its request is whole. One without a body is
                // whole at the next call, and the connection goes on.
                guard Self.hasBody(connection) else {
                    context.refusal = error
                    return Self.goOn
                }
                return answer(connection, context, problem: error)
            }
        }
        let context = Unmanaged<RequestContext>.fromOpaque(pointer).takeUnretainedValue()
        if size.pointee > 0 {
            defer { size.pointee = 0 }
            return take(UnsafeRawBufferPointer(start: data, count: size.pointee), context) ? Self.goOn : Self.close
        }
        // Already answered, before the body.
        if context.status != 0 { return Self.goOn }
        allow(connection, seconds: nil)
        if let refusal = context.refusal { return answer(connection, context, problem: refusal) }
        if context.isTooLarge {
            return answer(connection, context, problem: Self.tooLarge(context.limit))
        }
        return run(connection, context)
    }

    private static func hasBody(_ connection: OpaquePointer) -> Bool {
        if impactiq_http_header(connection, ("Transfer-Encoding" as StaticString).cString) != nil { return true }
        guard let length = impactiq_http_header(connection, ("Content-Length" as StaticString).cString) else {
            return false
        }
        return strcmp(length, "0") != 0
    }

    private func begin() -> RequestContext {
        inHand.wrappingAdd(1, ordering: .relaxed)
        let context = pool.withLock { $0.popLast() } ?? RequestContext()
        context.body.removeAll()
        context.route = nil
        context.parameter = ""
        context.type = nil
        context.isTooLarge = false
        context.refusal = nil
        context.limit = 0
        context.status = 0
        context.counted = 0
        context.began = Self.nanoseconds()
        return context
    }

    private static func nanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// Takes a piece of the body; false ends the connection.
    private func take(_ bytes: UnsafeRawBufferPointer, _ context: RequestContext) -> Bool {
        if context.isTooLarge {
            // The rest of a body that is a little too large is passed over, so that its sender reads the answer.
            context.limit -= bytes.count
            return context.limit > -(1 << 20)
        }
        let needed = context.body.count + bytes.count
        if needed > context.limit {
            context.isTooLarge = true
            context.body.removeAll()
            context.limit = 0
            return true
        }
        if needed > context.counted, needed > 4_096 {
            bodyBytes.wrappingAdd(needed - context.counted, ordering: .relaxed)
            context.counted = needed
            if bodyBytes.load(ordering: .relaxed) > options.maxBodiesBytes { return false }
        }
        context.body.append(bytes)
        return true
    }

    private static func tooLarge(_ limit: Int) -> Problem {
        Problem(413, "body_too_large", "the body is larger than this route takes; split the rows over several requests")
    }

    // MARK: The gate

    private func admit(
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
        throw Problem(415, "content_type", "the body must be \(names), not \(text.prefix(100))", field: "Content-Type")
    }

    // MARK: The answer

    /// The thread's own exchange.
    private func exchange() -> Exchange {
        if let pointer = pthread_getspecific(key) {
            return Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        }
        let exchange = Exchange()
        pthread_setspecific(key, Unmanaged.passRetained(exchange).toOpaque())
        return exchange
    }

    private func run(_ connection: OpaquePointer, _ context: RequestContext) -> MHD_Result {
        let exchange = exchange()
        exchange.begin(connection, parameter: context.parameter, body: context.body.bytes, type: context.type)
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

    private func answer(_ connection: OpaquePointer, _ context: RequestContext, problem: Problem) -> MHD_Result {
        let exchange = exchange()
        exchange.begin(connection, parameter: "", body: UnsafeRawBufferPointer(start: nil, count: 0), type: nil)
        exchange.fail(problem)
        if problem.status == 405 { exchange.allow = problem.detail.hasSuffix("POST") ? "POST" : "GET, HEAD" }
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
        if isStopping.load(ordering: .relaxed) { add("Connection", "close") }
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
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'
        """
}
