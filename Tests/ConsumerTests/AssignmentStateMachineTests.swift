import Consumer
import Kafka
import TestSupport
import Testing

@Suite("The assignment's state machine")
struct AssignmentStateMachineTests {
    typealias Machine = AssignmentStateMachine
    private static let p = (0..<4).map { TopicPartition("t", Int32($0)) }
    private var p: [TopicPartition] { Self.p }

    private func machine(_ events: Machine.Event...) -> Machine {
        var machine = Machine()
        for event in events { _ = machine.handle(event) }
        return machine
    }

    struct Transition: Sendable, CustomTestStringConvertible {
        var before: [Machine.Event]
        var event: Machine.Event
        var actions: [Machine.Action]
        var state: Machine.State
        var owned: [TopicPartition]

        var testDescription: String { "\(before) + \(event)" }
    }

    static let transitions: [Transition] = [
        Transition(before: [], event: .assign(p), actions: [.assign(p)], state: .assigned, owned: p),
        // Nothing to own is an assignment too.
        Transition(before: [], event: .assign([]), actions: [.assign([])], state: .assigned, owned: []),
        Transition(
            before: [.assign(p)], event: .revoke(p), actions: [.revoke(p), .unassign], state: .unassigned, owned: []),
        // Eager: all are revoked, whatever the list says.
        Transition(
            before: [.assign(p)], event: .revoke([p[1]]), actions: [.revoke(p), .unassign], state: .unassigned,
            owned: []),
        Transition(
            before: [.assign(p)], event: .lost(p), actions: [.discard(p), .unassign], state: .unassigned, owned: []),
        Transition(
            before: [.assign([p[0], p[1]])], event: .assign([p[2]]),
            actions: [.discard([p[0], p[1]]), .assign([p[2]])],
            state: .assigned, owned: [p[2]]),
        Transition(before: [.assign([])], event: .assign(p), actions: [.assign(p)], state: .assigned, owned: p),
        Transition(before: [.assign([])], event: .revoke([]), actions: [.unassign], state: .unassigned, owned: []),
        Transition(before: [.assign([])], event: .lost([]), actions: [.unassign], state: .unassigned, owned: []),
        Transition(before: [], event: .revoke(p), actions: [.unassign], state: .unassigned, owned: []),
        Transition(before: [], event: .lost(p), actions: [.unassign], state: .unassigned, owned: []),
        Transition(before: [], event: .close, actions: [], state: .closing, owned: []),
        Transition(before: [.assign(p)], event: .close, actions: [], state: .closing, owned: p),
        Transition(
            before: [.assign(p), .close], event: .revoke(p), actions: [.revoke(p), .unassign], state: .closing,
            owned: []),
        Transition(
            before: [.assign(p), .close], event: .lost(p), actions: [.discard(p), .unassign], state: .closing,
            owned: []),
        Transition(before: [.close], event: .assign(p), actions: [.decline], state: .closing, owned: []),
        Transition(before: [.close], event: .revoke(p), actions: [.unassign], state: .closing, owned: []),
        Transition(before: [.close], event: .close, actions: [], state: .closing, owned: []),
        Transition(before: [.close], event: .closed, actions: [], state: .closed, owned: []),
        // A close that ran into its deadline: what is still owned was not committed.
        Transition(before: [.assign(p), .close], event: .closed, actions: [.discard(p)], state: .closed, owned: []),
        Transition(before: [.assign(p)], event: .closed, actions: [.discard(p)], state: .closed, owned: []),
        Transition(before: [.close, .closed], event: .assign(p), actions: [.unassign], state: .closed, owned: []),
        Transition(before: [.close, .closed], event: .revoke(p), actions: [.unassign], state: .closed, owned: []),
        Transition(before: [.close, .closed], event: .close, actions: [], state: .closed, owned: []),
    ]

    @Test("Each transition", arguments: transitions)
    func transition(_ transition: Transition) {
        var machine = Machine()
        for event in transition.before { _ = machine.handle(event) }
        #expect(machine.handle(transition.event) == transition.actions)
        #expect(machine.state == transition.state)
        #expect(machine.owned == Set(transition.owned))
    }

    @Test("Only what is owned and runs is paused, only what is paused is resumed")
    func pausing() {
        var machine = machine(.assign([p[0], p[1], p[2]]))
        #expect(machine.pause([p[0], p[1], p[3]]) == [p[0], p[1]])
        #expect(machine.pause([p[1], p[2]]) == [p[2]])
        #expect(machine.resume([p[0], p[3]]) == [p[0]])
        #expect(machine.resume([p[0]]) == [])
        #expect(machine.paused == [p[1], p[2]])
    }

    @Test("A new assignment runs, and its epoch is another")
    func newAssignment() {
        var machine = machine(.assign(p))
        _ = machine.pause(p)
        let epoch = machine.epoch
        _ = machine.handle(.revoke(p))
        #expect(machine.paused.isEmpty)
        #expect(machine.epoch > epoch)
        _ = machine.handle(.assign(p))
        #expect(machine.paused.isEmpty)
        #expect(machine.resume(p) == [])
    }

    @Test("In any order of events, what was assigned is revoked or discarded once, and the paused are owned")
    func anyOrder() {
        var random = SeededGenerator.announced()
        for _ in 0..<300 {
            var machine = Machine()
            var owned: Set<TopicPartition> = []
            for _ in 0..<30 {
                let some = p.filter { _ in Bool.random(using: &random) }
                let events: [Machine.Event] = [
                    .assign(some), .revoke(some), .lost(some), .assign(some), .close, .closed,
                ]
                let event = events[min(Int.random(in: 0..<40, using: &random), 5) % 6]
                for action in machine.handle(event) {
                    switch action {
                    case .assign(let partitions):
                        #expect(owned.isEmpty)
                        owned = Set(partitions)
                    case .revoke(let partitions), .discard(let partitions):
                        #expect(owned == Set(partitions))
                        owned = []
                    case .unassign, .decline: #expect(owned.isEmpty)
                    }
                }
                #expect(machine.owned == owned)
                _ = machine.pause(some)
                #expect(machine.paused.isSubset(of: owned))
            }
        }
    }
}
