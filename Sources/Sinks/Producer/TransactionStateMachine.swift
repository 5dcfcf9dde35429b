import CRdkafka
import Kafka

/// What to do with a transactional producer, as a pure value: results of calls in, the next step out.
///
/// ```
///                  initialise ok           begin             send offsets ok          commit ok
///   uninitialised ──────────────► ready ─────────► open ──► sendingOffsets ──► committing ──┐
///        ▲                          ▲                │            │                 │        │
///        │                          │                └────────────┴── abortable ────┘        │
///        │                          │ abort ok                      ▼                        │
///        │                          ├────────────────────────── aborting                     │
///        │                          └────────────────────────────────────────────────────────┘
///        │ producer re-created
///     broken ◄──── fatal or unclassified error of any call ────── (any state)
///     fenced ◄──── another producer has taken the identity ────── (any state)
/// ```
/// - retriable: the same call with identical arguments, for as long as it takes;
/// - the transaction must be aborted: abort, then the caller discards what it changed and seeks to the committed offsets;
/// - fatal or unclassified, and an abort that fails: destroy the producer and initialise a new one, which ends what is left
///   of the transaction on the broker; whether a commit in doubt took effect is told by the committed offsets;
/// - fenced: stop at once, rejoin the group.
package struct TransactionStateMachine: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case uninitialised, ready, open, sendingOffsets, committing, aborting, broken, fenced
    }

    /// The library's calls that may fail.
    package enum Call: Sendable, Equatable { case initialise, begin, produce, sendOffsets, commit, abort }

    package enum Event: Sendable, Equatable {
        /// The caller wants the producer ready.
        case start
        case begin
        /// The caller wants the transaction committed, with offsets or (nothing consumed) without.
        case commit
        case abort
        case succeeded(Call)
        case failed(Call, KafkaError)
        /// There is a new producer in place of the broken one.
        case recreated
    }

    package enum Action: Sendable, Equatable {
        case call(Call)
        /// The same call once more with the same arguments, after a pause.
        case retry(Call)
        /// Destroy the producer and make a new one, then report ``Event/recreated``.
        case recreate
        case finish(TransactionOutcome)
    }

    package private(set) var state = State.uninitialised
    /// The error that ended the running transaction; told when it is over.
    private var cause: KafkaError?

    package init() {}

    /// The next step. A step that makes no sense in this state is answered by re-creating the producer, which is right
    /// from everywhere.
    package mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.fenced, _):
            return .finish(.fenced(cause ?? KafkaError(RD_KAFKA_RESP_ERR__FENCED)))
        case (.uninitialised, .start): return .call(.initialise)
        case (.ready, .start): return .finish(.ready)
        case (.uninitialised, .succeeded(.initialise)):
            state = .ready
            guard let cause else { return .finish(.ready) }
            self.cause = nil
            return .finish(.reinitialised(cause))
        case (.ready, .begin): return .call(.begin)
        case (.ready, .succeeded(.begin)):
            state = .open
            return .finish(.ready)
        case (.open, .commit):
            state = .sendingOffsets
            return .call(.sendOffsets)
        case (.ready, .commit): return .finish(.committed)
        case (.sendingOffsets, .succeeded(.sendOffsets)):
            state = .committing
            return .call(.commit)
        case (.committing, .succeeded(.commit)):
            state = .ready
            return .finish(.committed)
        case (.open, .abort):
            state = .aborting
            return .call(.abort)
        case (.ready, .abort), (.uninitialised, .abort): return .finish(.aborted(cause))
        case (.aborting, .succeeded(.abort)):
            state = .ready
            defer { cause = nil }
            return .finish(.aborted(cause))
        case (.broken, .recreated):
            state = .uninitialised
            return .call(.initialise)
        case (_, .failed(let call, let error)):
            return fail(call, error)
        default:
            state = .broken
            cause = cause ?? KafkaError(RD_KAFKA_RESP_ERR__STATE, "the producer was asked for \(event) while \(state)")
            return .recreate
        }
    }

    private mutating func fail(_ call: Call, _ error: KafkaError) -> Action {
        switch TransactionFailure(error, during: call) {
        case .retriable:
            return .retry(call)
        case .fenced:
            state = .fenced
            cause = error
            return .finish(.fenced(error))
        case .abortable where call != .abort && call != .initialise && state != .broken:
            // An abort's own failure cannot be aborted.
            if state == .ready { return .finish(.aborted(error)) }
            cause = error
            state = .aborting
            return .call(.abort)
        case .abortable, .fatal:
            cause = cause ?? error
            state = .broken
            return .recreate
        }
    }
}

/// How a transaction's step ended for the caller.
package enum TransactionOutcome: Sendable, Equatable {
    /// The producer takes the next step; nothing happened to a transaction.
    case ready
    /// Offsets and records are visible together.
    case committed
    /// Nothing is visible: discard what was changed in memory and seek to the committed offsets. The cause is nil when
    /// the caller wanted it.
    case aborted(KafkaError?)
    /// The producer is a new one. Nothing or, after a commit in doubt, everything is visible: the committed offsets tell.
    /// Discard and seek to them.
    case reinitialised(KafkaError)
    /// Another producer works in this one's place: stop, discard, rejoin the group with a new producer.
    case fenced(KafkaError)
    /// The wait was interrupted (``OutputProducer/interrupt()``); nothing more can be said. Leave.
    case interrupted
}

/// The classes of failure; the flags of the library's error decide, and its name where the flags are silent.
package enum TransactionFailure: Sendable, Equatable {
    case retriable, abortable, fenced, fatal

    package init(_ error: KafkaError, during call: TransactionStateMachine.Call) {
        switch error.code {
        case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
            RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH where error.isFatal || !error.requiresAbort:
            self = .fenced
        case _ where error.isFatal: self = .fatal
        case _ where error.requiresAbort: self = .abortable
        case _ where error.isRetriable: self = .retriable
        // A produce call fails in an aborted transaction, or for a record's own sake: the transaction lacks it.
        case _ where call == .produce: self = .abortable
        default: self = .fatal
        }
    }
}
