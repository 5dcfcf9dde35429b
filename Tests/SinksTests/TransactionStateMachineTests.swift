import CRdkafka
import Kafka
import Sinks
import Testing

@Suite("The transaction's state machine")
struct TransactionStateMachineTests {
    typealias Machine = TransactionStateMachine

    static let retriable = KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "slow", isRetriable: true)
    static let abortable = KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "record expired", requiresAbort: true)
    static let fatal = KafkaError(RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, "broken", isFatal: true)
    static let unclassified = KafkaError(RD_KAFKA_RESP_ERR__CONFLICT, "what now")
    static let fenced = KafkaError(RD_KAFKA_RESP_ERR__FENCED, "fenced", isFatal: true)

    /// A machine in the state, by the shortest way.
    private func machine(in state: Machine.State) -> Machine {
        let ways: [Machine.State: [Machine.Event]] = [
            .uninitialised: [],
            .ready: [.start, .succeeded(.initialise)],
            .open: [.start, .succeeded(.initialise), .begin, .succeeded(.begin)],
            .sendingOffsets: [.start, .succeeded(.initialise), .begin, .succeeded(.begin), .commit],
            .committing: [
                .start, .succeeded(.initialise), .begin, .succeeded(.begin), .commit, .succeeded(.sendOffsets),
            ],
            .aborting: [.start, .succeeded(.initialise), .begin, .succeeded(.begin), .abort],
            .broken: [.start, .failed(.initialise, Self.fatal)],
            .fenced: [.start, .failed(.initialise, Self.fenced)],
        ]
        var machine = Machine()
        for event in ways[state] ?? [] { _ = machine.handle(event) }
        #expect(machine.state == state)
        return machine
    }

    struct Transition: Sendable, CustomTestStringConvertible {
        var from: Machine.State
        var event: Machine.Event
        var action: Machine.Action
        var to: Machine.State

        init(_ from: Machine.State, _ event: Machine.Event, _ action: Machine.Action, _ to: Machine.State) {
            self.from = from
            self.event = event
            self.action = action
            self.to = to
        }

        var testDescription: String { "\(from) + \(event) → \(to)" }
    }

    static let transitions: [Transition] = [
        // The way without errors.
        Transition(.uninitialised, .start, .call(.initialise), .uninitialised),
        Transition(.uninitialised, .succeeded(.initialise), .finish(.ready), .ready),
        Transition(.ready, .start, .finish(.ready), .ready),
        Transition(.ready, .begin, .call(.begin), .ready),
        Transition(.ready, .succeeded(.begin), .finish(.ready), .open),
        Transition(.ready, .commit, .finish(.committed), .ready),
        Transition(.ready, .abort, .finish(.aborted(nil)), .ready),
        Transition(.uninitialised, .abort, .finish(.aborted(nil)), .uninitialised),
        Transition(.open, .commit, .call(.sendOffsets), .sendingOffsets),
        Transition(.sendingOffsets, .succeeded(.sendOffsets), .call(.commit), .committing),
        Transition(.committing, .succeeded(.commit), .finish(.committed), .ready),
        Transition(.open, .abort, .call(.abort), .aborting),
        Transition(.aborting, .succeeded(.abort), .finish(.aborted(nil)), .ready),
        // Retriable: the same call.
        Transition(.uninitialised, .failed(.initialise, retriable), .retry(.initialise), .uninitialised),
        Transition(.sendingOffsets, .failed(.sendOffsets, retriable), .retry(.sendOffsets), .sendingOffsets),
        Transition(.committing, .failed(.commit, retriable), .retry(.commit), .committing),
        Transition(.aborting, .failed(.abort, retriable), .retry(.abort), .aborting),
        // The transaction must be aborted.
        Transition(.open, .failed(.produce, abortable), .call(.abort), .aborting),
        Transition(.open, .failed(.produce, unclassified), .call(.abort), .aborting),
        Transition(.sendingOffsets, .failed(.sendOffsets, abortable), .call(.abort), .aborting),
        Transition(.committing, .failed(.commit, abortable), .call(.abort), .aborting),
        Transition(.ready, .failed(.produce, abortable), .finish(.aborted(abortable)), .ready),
        // What cannot be aborted, is fatal or has no class: a new producer.
        Transition(.aborting, .failed(.abort, abortable), .recreate, .broken),
        Transition(.uninitialised, .failed(.initialise, abortable), .recreate, .broken),
        Transition(.uninitialised, .failed(.initialise, unclassified), .recreate, .broken),
        Transition(.ready, .failed(.begin, unclassified), .recreate, .broken),
        Transition(.open, .failed(.produce, fatal), .recreate, .broken),
        Transition(.sendingOffsets, .failed(.sendOffsets, fatal), .recreate, .broken),
        Transition(.sendingOffsets, .failed(.sendOffsets, unclassified), .recreate, .broken),
        Transition(.committing, .failed(.commit, fatal), .recreate, .broken),
        Transition(.committing, .failed(.commit, unclassified), .recreate, .broken),
        Transition(.aborting, .failed(.abort, unclassified), .recreate, .broken),
        Transition(.broken, .recreated, .call(.initialise), .uninitialised),
        // Fenced: stop, from everywhere.
        Transition(.uninitialised, .failed(.initialise, fenced), .finish(.fenced(fenced)), .fenced),
        Transition(.open, .failed(.produce, fenced), .finish(.fenced(fenced)), .fenced),
        Transition(.sendingOffsets, .failed(.sendOffsets, fenced), .finish(.fenced(fenced)), .fenced),
        Transition(.committing, .failed(.commit, fenced), .finish(.fenced(fenced)), .fenced),
        Transition(.aborting, .failed(.abort, fenced), .finish(.fenced(fenced)), .fenced),
        Transition(.fenced, .begin, .finish(.fenced(fenced)), .fenced),
        Transition(.fenced, .start, .finish(.fenced(fenced)), .fenced),
        Transition(.fenced, .succeeded(.commit), .finish(.fenced(fenced)), .fenced),
        // Asked for what cannot be: a new producer is right from everywhere.
        Transition(.uninitialised, .begin, .recreate, .broken),
        Transition(.open, .begin, .recreate, .broken),
        Transition(.committing, .commit, .recreate, .broken),
        Transition(.broken, .commit, .recreate, .broken),
    ]

    @Test("Each transition", arguments: transitions)
    func transition(_ transition: Transition) {
        var machine = machine(in: transition.from)
        #expect(machine.handle(transition.event) == transition.action)
        #expect(machine.state == transition.to)
    }

    @Test("The cause of an abort is told when the abort is done, once")
    func causeOfAbort() {
        var machine = machine(in: .sendingOffsets)
        _ = machine.handle(.failed(.sendOffsets, Self.abortable))
        _ = machine.handle(.failed(.abort, Self.retriable))
        #expect(machine.handle(.succeeded(.abort)) == .finish(.aborted(Self.abortable)))
        #expect(machine.handle(.abort) == .finish(.aborted(nil)))
    }

    @Test("After a commit in doubt the producer is a new one, and the first error is the cause")
    func commitInDoubt() {
        var machine = machine(in: .committing)
        #expect(machine.handle(.failed(.commit, Self.unclassified)) == .recreate)
        #expect(machine.handle(.recreated) == .call(.initialise))
        #expect(machine.handle(.failed(.initialise, Self.retriable)) == .retry(.initialise))
        #expect(machine.handle(.failed(.initialise, Self.fatal)) == .recreate)
        #expect(machine.handle(.recreated) == .call(.initialise))
        #expect(machine.handle(.succeeded(.initialise)) == .finish(.reinitialised(Self.unclassified)))
        #expect(machine.handle(.start) == .finish(.ready))
    }

    @Test("Whatever happens in whatever order, a step ends, and no commit is told that was not made")
    func anyOrder() {
        let errors = [Self.retriable, Self.abortable, Self.fatal, Self.unclassified, Self.fenced]
        let calls: [Machine.Call] = [.initialise, .begin, .produce, .sendOffsets, .commit, .abort]
        var events: [Machine.Event] = [.start, .begin, .commit, .abort, .recreated]
        for call in calls {
            events.append(.succeeded(call))
            events += errors.map { .failed(call, $0) }
        }
        for first in events {
            for second in events {
                for state in [
                    Machine.State.uninitialised, .ready, .open, .sendingOffsets, .committing, .aborting, .broken,
                ] {
                    var machine = machine(in: state)
                    for event in [first, second] {
                        let before = machine.state
                        if machine.handle(event) == .finish(.committed) {
                            #expect(
                                event == .succeeded(.commit) && before == .committing
                                    || event == .commit && before == .ready)
                        }
                    }
                }
            }
        }
    }

    @Test("An error's class follows its flags; fencing wins")
    func classes() {
        #expect(TransactionFailure(Self.retriable, during: .commit) == .retriable)
        #expect(TransactionFailure(Self.abortable, during: .commit) == .abortable)
        #expect(TransactionFailure(Self.fatal, during: .commit) == .fatal)
        #expect(TransactionFailure(Self.fenced, during: .commit) == .fenced)
        #expect(TransactionFailure(Self.unclassified, during: .commit) == .fatal)
        #expect(TransactionFailure(Self.unclassified, during: .produce) == .abortable)
        let epoch = KafkaError(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, isFatal: true)
        #expect(TransactionFailure(epoch, during: .abort) == .fenced)
        let recoverable = KafkaError(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, requiresAbort: true)
        #expect(TransactionFailure(recoverable, during: .produce) == .abortable)
    }
}
