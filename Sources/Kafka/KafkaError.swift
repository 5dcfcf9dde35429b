import Base
import CRdkafka

/// What a call to Kafka answered instead of success, with the flags that decide what to do about it.
///
/// `isRetriable`: the same call with the same arguments may succeed. `requiresAbort`: the transaction must be aborted.
/// `isFatal`: the client instance is dead and must be replaced. All false: unclassified.
package struct KafkaError: Error, Sendable, Equatable, CustomStringConvertible {
    package var code: rd_kafka_resp_err_t
    package var isRetriable: Bool
    package var isFatal: Bool
    package var requiresAbort: Bool
    /// What was being done, and what the library or the broker said about it.
    package var message: String

    package init(
        _ code: rd_kafka_resp_err_t, _ message: String? = nil, isRetriable: Bool = false, isFatal: Bool = false,
        requiresAbort: Bool = false
    ) {
        self.code = code
        self.isRetriable = isRetriable
        self.isFatal = isFatal
        self.requiresAbort = requiresAbort
        self.message = message ?? String(cString: rd_kafka_err2str(code))
    }

    /// The library's name of the code, such as `_TIMED_OUT` (its own) or `NOT_COORDINATOR` (the broker's).
    package var name: String { String(cString: rd_kafka_err2name(code)) }

    /// The library often ends its text with its own words for the code, in brackets: one code is enough.
    package var description: String {
        let words = " (\(String(cString: rd_kafka_err2str(code))))"
        return "\(message.hasSuffix(words) ? String(message.dropLast(words.count)) : message) (\(name))"
    }

    /// Another member of the group has come with the same `group.instance.id`.
    package var isFencedMember: Bool { code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID }

    /// A partition's leader has moved, is not there yet, or is another one than the client knows.
    package var isOfLeader: Bool {
        switch code {
        case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
            true
        default: false
        }
    }

    /// Codes with which no retry helps: the client may not do what it tries to do.
    package var isAuthorization: Bool {
        switch code {
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR__AUTHENTICATION,
            RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            true
        default: false
        }
    }

    /// The error as a person reads it; `doing` names the work and its input, `advice` says what to do next.
    package func impactError(doing work: String, advice: String? = nil) -> ImpactError {
        let next = advice.map { ". \($0)" } ?? ""
        // The message may say already what was being done.
        let said = message.hasPrefix("\(work): ") ? description : "\(work): \(description)"
        return ImpactError(
            .failed, code: "kafka\(name.hasPrefix("_") ? "" : "_")\(name.lowercased())", said + next)
    }
}

extension KafkaError {
    /// Takes over an error object of the library: reads its flags, then destroys it. Nil for success (a null pointer).
    package init?(consuming error: OpaquePointer?, doing work: String) {
        guard let error else { return nil }
        defer { rd_kafka_error_destroy(error) }
        let text = rd_kafka_error_string(error).map { String(cString: $0) }
        self.init(
            rd_kafka_error_code(error), "\(work): \(text ?? "no reason given")",
            isRetriable: rd_kafka_error_is_retriable(error) != 0, isFatal: rd_kafka_error_is_fatal(error) != 0,
            requiresAbort: rd_kafka_error_txn_requires_abort(error) != 0)
    }

    /// Throws unless the code is success.
    package static func check(_ code: rd_kafka_resp_err_t, doing work: @autoclosure () -> String) throws(KafkaError) {
        if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
        throw KafkaError(code, "\(work()): \(String(cString: rd_kafka_err2str(code)))")
    }

    /// Throws unless the error object is null; takes it over.
    package static func check(_ error: OpaquePointer?, doing work: @autoclosure () -> String) throws(KafkaError) {
        guard let error else { return }
        if let problem = KafkaError(consuming: error, doing: work()) { throw problem }
    }
}

extension rd_kafka_resp_err_t: @retroactive Hashable {}
