import Base
import CMicroHTTPD
import Foundation
import Synchronization

extension HTTPServer {
    /// What a callback of libmicrohttpd returns: the connection goes on, or is closed.
    static let goOn = impactiq_http_result(1)
    static let close = impactiq_http_result(0)

    // MARK: Callbacks of libmicrohttpd, on its threads

    func connection(
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

    func completed(
        _ connection: OpaquePointer?, _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
        _ code: MHD_RequestTerminationCode
    ) {
        guard let pointer = request.pointee else { return }
        request.pointee = nil
        let context = Unmanaged<RequestContext>.fromOpaque(pointer).takeRetainedValue()
        let nanoseconds = Self.nanoseconds() &- context.began
        let status = context.status == 0 ? ending(connection, code) : context.status
        let exchange = exchange()
        if context.status != 0 || status != 400 || !exchange.isRefusalCounted {
            metrics.count(route: context.countedRoute, status: status, seconds: Double(nanoseconds) / 1e9)
        }
        exchange.isRefusalCounted = false
        if context.counted > 0 { bodyBytes.wrappingSubtract(context.counted, ordering: .relaxed) }
        if let connection { allow(connection, seconds: options.idleSeconds) }
        inHand.wrappingSubtract(1, ordering: .releasing)
        // What a large body needed goes back to the system.
        guard context.body.capacity <= 1 << 16 else { return }
        pool.withLock { if $0.count < 256 { $0.append(context) } }
    }

    /// libmicrohttpd answers by itself what it cannot read: a request line or a header that is none or too long, a version. Its
    /// answer is a short page of HTML, which it lets nobody change. A broken chunk ends a request that was let in: that is
    /// counted with its route.
    func refused(_ status: Int) {
        metrics.count(route: nil, status: status)
        exchange().isRefusalCounted = true
    }

    /// The status of a request that this server has not answered: too slow (408), its sender left (499), the server stops
    /// (503); else libmicrohttpd refused what came of its body (400).
    private func ending(_ connection: OpaquePointer?, _ code: MHD_RequestTerminationCode) -> Int {
        if impactiq_http_is_time_out(code) != 0 { return 408 }
        if let pointer = connection.flatMap({ impactiq_http_socket_context($0) }),
            Unmanaged<ConnectionWatch.Entry>.fromOpaque(pointer).takeUnretainedValue().wasSlow.load(ordering: .relaxed)
        {
            return 408
        }
        if isStopping.load(ordering: .relaxed) || impactiq_http_is_shutdown(code) != 0 { return 503 }
        return impactiq_http_is_hang_up(code) != 0 ? 499 : 400
    }

    func handle(
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
                guard Self.hasBody(connection) || error.endsConnection else {
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
            return answer(connection, context, problem: tooLarge(context))
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
        exchange().isRefusalCounted = false
        let context = pool.withLock { $0.popLast() } ?? RequestContext()
        context.body.removeAll()
        context.route = nil
        context.countedRoute = nil
        context.isHead = false
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
            if context.limit > -(1 << 20) { return true }
            context.status = 413
            return false
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
            if bodyBytes.load(ordering: .relaxed) > options.maxBodiesBytes {
                context.status = 503
                return false
            }
        }
        context.body.append(bytes)
        return true
    }

    /// Says how much the route takes, and where the rows can be split.
    func tooLarge(_ context: RequestContext) -> Problem {
        guard let number = context.route else { return Problem(413, "body_too_large", "the body is too large") }
        let route = router.routes[number]
        return Problem(
            413, "body_too_large",
            "the body is larger than the \(min(route.maxBodyBytes, options.maxBodyBytes)) bytes that this route takes"
                + (route.path.hasSuffix("/batch") ? "; split the rows over several requests" : ""))
    }
}
