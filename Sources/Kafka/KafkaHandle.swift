import Base
import CRdkafka
import Foundation
import Synchronization

/// Owns one librdkafka client: creates it from properties, sends its log and errors to ``Log``, destroys it.
///
/// `@unchecked Sendable`: the C client is thread-safe; what is ours and mutable is behind a mutex, except the two
/// callbacks of ``Context``, which are set before the first poll and called on the polling thread only.
package final class KafkaHandle: @unchecked Sendable {
    package enum Kind: Sendable { case producer, consumer }

    /// The client; valid until ``close(timeoutMilliseconds:)``.
    package let pointer: OpaquePointer
    /// `bootstrap.servers`, for messages.
    package let bootstrap: String
    /// The client's name in the log.
    package var component: String { context.component }
    package let context: Context
    private let isOpen = Atomic<Bool>(true)

    /// What the library's callbacks get to see of us.
    package final class Context: @unchecked Sendable {
        let component: String
        let watch: Mutex<BrokerWatch>
        /// Serves a rebalance; polling thread only.
        package var onRebalance:
            ((rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> Void)?
        /// Gets failed deliveries; polling thread only.
        package var onDeliveryFailure: ((UnsafePointer<rd_kafka_message_t>) -> Void)?

        /// Runs on a broker's thread when a fetch has come back, before it is read.
        let onFetch: (@Sendable () -> Void)?

        /// The library's last report on itself.
        let statistics = Mutex<ClientStatistics?>(nil)

        /// Says nothing: the client exists for another purpose than to connect.
        let isMute = Atomic<Bool>(false)

        init(component: String, bootstrap: String, onFetch: (@Sendable () -> Void)?) {
            self.component = component
            self.onFetch = onFetch
            watch = Mutex(BrokerWatch(bootstrap: bootstrap))
        }

        /// The context of a callback.
        static func of(_ opaque: UnsafeMutableRawPointer?) -> Context? {
            opaque.map { Unmanaged<Context>.fromOpaque($0).takeUnretainedValue() }
        }

        /// What the library said last of why a connection does not come about.
        let lastReason = Mutex<String?>(nil)

        /// Says nothing from now on: other clients of the process tell of the same brokers.
        package func mute() { isMute.store(true, ordering: .relaxed) }

        func show(_ entry: BrokerWatch.Entry?) {
            if isMute.load(ordering: .relaxed) { return }
            switch entry {
            case .info(let text): Log.info(component, text)
            case .warning(let text): Log.warning(component, text)
            case .error(let text): Log.error(component, text)
            case nil: break
            }
        }
    }

    /// - Parameters:
    ///   - component: names the client in the log: `consumer-0`, `producer-0`, `admin`.
    ///   - onFetch: runs on a broker's thread when a fetch has come back, before it is read; must be quick and must
    ///     not use the client.
    /// - Throws: `kafka_property` for a property that librdkafka does not take, `kafka_client` when it makes no client.
    package init(
        _ kind: Kind, properties: KafkaProperties, component: String, onFetch: (@Sendable () -> Void)? = nil
    ) throws(ImpactError) {
        guard let bootstrap = properties["bootstrap.servers"], !bootstrap.isEmpty else {
            throw ImpactError(
                .badConfiguration, code: "missing_bootstrap",
                "bootstrap.servers is not set: give the address of a Kafka broker, such as 127.0.0.1:9092")
        }
        var properties = properties
        // A report every two seconds tells that a broker is back; it costs microseconds.
        properties.setDefault("statistics.interval.ms", "2000")
        let configuration = try properties.makeConfiguration()
        let context = Context(component: component, bootstrap: bootstrap, onFetch: onFetch)
        rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(context).toOpaque())
        rd_kafka_conf_set_log_cb(configuration, logCallback)
        rd_kafka_conf_set_error_cb(configuration, errorCallback)
        rd_kafka_conf_set_stats_cb(configuration, statisticsCallback)
        if onFetch != nil { context.reportFetches(configuration) }
        switch kind {
        case .consumer: rd_kafka_conf_set_rebalance_cb(configuration, rebalanceCallback)
        case .producer: rd_kafka_conf_set_dr_msg_cb(configuration, deliveryCallback)
        }
        self.pointer = try Self.make(kind, configuration, named: component)
        self.bootstrap = bootstrap
        self.context = context
    }

    /// A client of librdkafka's, which takes the configuration over.
    static func make(
        _ kind: Kind, _ configuration: OpaquePointer, named name: String
    ) throws(ImpactError) -> OpaquePointer {
        var reason = [CChar](repeating: 0, count: 512)
        let type = kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER
        if let pointer = rd_kafka_new(type, configuration, &reason, reason.count) { return pointer }
        rd_kafka_conf_destroy(configuration)
        let bytes = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        throw ImpactError(
            .badConfiguration, code: "kafka_client",
            "librdkafka makes no \(name): \(String(decoding: bytes, as: UTF8.self))")
    }

    deinit { close() }

    /// Whether no broker is connected at this moment.
    package var isBrokerAway: Bool { context.watch.withLock { $0.isAway } }

    /// What the library said last of itself, every two seconds; nil before that.
    package var statistics: ClientStatistics? { context.statistics.withLock { $0 } }

    /// The fatal error that ended this client's life, if one did (a fenced producer, a fenced static member).
    package var fatalError: KafkaError? {
        var reason = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(pointer, &reason, reason.count)
        if code == RD_KAFKA_RESP_ERR_NO_ERROR { return nil }
        let bytes = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return KafkaError(code, String(decoding: bytes, as: UTF8.self), isFatal: true)
    }

    /// Why no connection comes about, as the library says it: a wrong password, TLS against a plain port. Nil when it has
    /// said nothing.
    package var connectionProblem: String? {
        // Serves what waits; errors come with the callbacks.
        for _ in 0..<64 where rd_kafka_poll(pointer, 0) > 0 {}
        return context.lastReason.withLock { $0 }
    }

    /// Serves callbacks (errors, delivery reports) for at most the given time.
    package func poll(timeoutMilliseconds: Int32 = 0) { _ = rd_kafka_poll(pointer, timeoutMilliseconds) }

    /// Destroys the client. One message, queue or list that was not destroyed would make librdkafka wait for ever, so
    /// the wait is on a thread of its own: after the timeout the client is left behind, with an error in the log.
    ///
    /// - Returns: whether the client is gone.
    @discardableResult
    package func close(timeoutMilliseconds: Int = 5_000, flags: Int32 = 0) -> Bool {
        guard isOpen.exchange(false, ordering: .acquiringAndReleasing) else { return true }
        let done = DispatchSemaphore(value: 0)
        let context = context
        nonisolated(unsafe) let pointer = pointer  // Handed over: nobody uses the client after `isOpen` turned false.
        Thread.detachNewThread {
            rd_kafka_destroy_flags(pointer, flags)
            // The library's threads call into the context until here.
            withExtendedLifetime(context) {}
            done.signal()
        }
        if done.wait(timeout: .now() + .milliseconds(timeoutMilliseconds)) == .success { return true }
        Log.error(context.component, "the Kafka client did not end within \(timeoutMilliseconds) ms and is left behind")
        return false
    }
}

private func now() -> Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

private let logCallback: @convention(c) (OpaquePointer?, Int32, UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Void =
    {
        client, level, facility, text in
        guard let client, let context = KafkaHandle.Context.of(rd_kafka_opaque(client)), let text else { return }
        let facility = facility.map { String(cString: $0) } ?? ""
        // Connection failures come through the error callback as well, where they are counted and limited.
        // That a new transactional producer waits for its predecessor's transaction to end is normal (GETPID).
        // The mock cluster cannot promise not to create topics (AUTOCREATE), nor does it.
        let isNormal = ["FAIL", "GETPID", "AUTOCREATE"].contains(facility) || level > 5
        let shown: Log.Level = isNormal ? .debug : level >= 5 ? .info : .warning
        let message = "\(facility): \(String(cString: text))"
        switch shown {
        case .debug: Log.debug(context.component, message)
        case .info: Log.info(context.component, message)
        default: Log.warning(context.component, message)
        }
    }

private let errorCallback:
    @convention(c) (OpaquePointer?, Int32, UnsafePointer<CChar>?, UnsafeMutableRawPointer?) -> Void = {
        _, code, reason, opaque in
        guard let context = KafkaHandle.Context.of(opaque) else { return }
        let code = rd_kafka_resp_err_t(code)
        let reason = reason.map { String(cString: $0) } ?? ""
        if code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
            context.show(context.watch.withLock { $0.allBrokersDown(now: now()) })
            return
        }
        let error = KafkaError(code, reason, isFatal: code == RD_KAFKA_RESP_ERR__FATAL)
        if !reason.isEmpty { context.lastReason.withLock { $0 = reason } }
        if code == RD_KAFKA_RESP_ERR__TRANSPORT { context.watch.withLock { $0.connectionLost(now: now()) } }
        // While all are away, each attempt's failure says nothing new.
        if code == RD_KAFKA_RESP_ERR__TRANSPORT, context.watch.withLock({ $0.isAway }) { return }
        let lasting = error.isAuthorization || error.isFatal || code == RD_KAFKA_RESP_ERR__SSL
        context.show(
            context.watch.withLock {
                $0.error(name: error.name, reason: "\(error)", lasting: lasting, now: now())
            })
    }

private let statisticsCallback:
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int, UnsafeMutableRawPointer?) -> Int32 = {
        _, json, _, opaque in
        if let context = KafkaHandle.Context.of(opaque), let json {
            let up = strstr(json, "\"state\":\"UP\"") != nil  // The library terminates its report.
            context.show(context.watch.withLock { $0.report(anyBrokerUp: up, now: now()) })
            let statistics = ClientStatistics(json: json)
            context.statistics.withLock { $0 = statistics }
        }
        return 0
    }

private let rebalanceCallback:
    @convention(c) (
        OpaquePointer?, rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
        UnsafeMutableRawPointer?
    ) -> Void = { client, code, partitions, opaque in
        if let serve = KafkaHandle.Context.of(opaque)?.onRebalance {
            serve(code, partitions)
        } else if let client {
            // Nobody listens (the client is closing): an unserved rebalance would block the close.
            rd_kafka_assign(client, nil)
        }
    }

private let deliveryCallback:
    @convention(c) (OpaquePointer?, UnsafePointer<rd_kafka_message_t>?, UnsafeMutableRawPointer?) -> Void = {
        _, message, opaque in
        guard let message, message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        KafkaHandle.Context.of(opaque)?.onDeliveryFailure?(message)
    }
