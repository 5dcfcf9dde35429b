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
    let router: Router
    let watch = ConnectionWatch()
    /// Bytes of bodies held now.
    let bodyBytes = Atomic<Int>(0)
    let inHand = Atomic<Int>(0)
    let isStopping = Atomic<Bool>(false)
    private let hasStopped = Atomic<Bool>(false)
    private let daemon: Atomic<UInt>
    let pool = Mutex<[RequestContext]>([])
    let key: pthread_key_t
    /// What libmicrohttpd tells of its own answers goes here: it keeps the address. Not changed once the daemon runs.
    nonisolated(unsafe) private let refusals = UnsafeMutablePointer<impactiq_http_refusals>.allocate(capacity: 1)

    /// Listens and answers from now on.
    ///
    /// - Throws: `address_in_use`, `address_not_usable`; `http_start` when libmicrohttpd refuses.
    package init(options: ServerOptions, routes: [Route], stream: EventStream = EventStream()) throws(ImpactError) {
        self.options = options
        self.stream = stream
        router = Router(routes)
        metrics = RequestMetrics(routes: routes.map { "\($0.method.rawValue) \($0.path)" })
        daemon = Atomic(0)
        refusals.initialize(to: impactiq_http_refusals())
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
        refusals.pointee.context = settings.context
        refusals.pointee.refused = { context, status in
            guard let context else { return }
            Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().refused(Int(status))
        }
        settings.refusals = refusals
        settings.handler = { context, connection, url, method, _, data, size, request in
            guard let context, let request, let size else { return HTTPServer.close }
            return Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().handle(
                connection, url, method, data, size, request)
        }
        settings.completed = { context, connection, request, code in
            guard let context, let request else { return }
            Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().completed(connection, request, code)
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
        // Else the kernel goes on taking connections that nobody will answer. Closed only when no thread looks at it.
        if socket >= 0 { shutdown(socket, Int32(SHUT_RDWR)) }
        stream.finish()
        let end = ContinuousClock.now + .seconds(options.stopSeconds)
        while inHand.load(ordering: .acquiring) > 0, ContinuousClock.now < end { usleep(10_000) }
        // libmicrohttpd 0.9.75 takes no response once it stops, its own to a malformed request included, which it then looks
        // for at address 0. So it stops when no connection is left to send one.
        let closed = ContinuousClock.now + .seconds(1)
        repeat {
            watch.closeAll()
            usleep(5_000)
        } while watch.count > 0 && ContinuousClock.now < closed
        MHD_stop_daemon(started)
        if socket >= 0 { Foundation.close(socket) }
        hasStopped.store(true, ordering: .releasing)
    }

    deinit {
        stop()
        pthread_key_delete(key)
        refusals.deallocate()
    }
}
