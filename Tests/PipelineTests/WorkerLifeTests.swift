import Base
import Pipeline
import Testing

@Suite("A worker's life")
struct WorkerLifeTests {
    typealias Life = WorkerLife

    static let failed = Life.Departure.failed(Life.Failure(ImpactError(.failed, code: "torn", "torn")))

    /// The life in a state, by the shortest way.
    private func life(in state: Life.State) -> Life {
        var life = Life()
        switch state {
        case .idle: break
        case .open: life.handle(.began)
        case .leaving(let why): life.handle(.leave(why))
        case .closing(let why):
            life.handle(.began)
            life.handle(.leave(why))
        }
        #expect(life.state == state)
        return life
    }

    struct Transition: Sendable, CustomTestStringConvertible {
        var from: Life.State
        var event: Life.Event
        var to: Life.State

        init(_ from: Life.State, _ event: Life.Event, _ to: Life.State) {
            self.from = from
            self.event = event
            self.to = to
        }

        var testDescription: String { "\(from) + \(event) → \(to)" }
    }

    static let transitions: [Transition] = [
        Transition(.idle, .began, .open),
        Transition(.open, .ended, .idle),
        Transition(.open, .began, .open),
        Transition(.idle, .ended, .idle),
        // Leaving, with and without a transaction.
        Transition(.idle, .leave(.stopped), .leaving(.stopped)),
        Transition(.idle, .leave(.fenced), .leaving(.fenced)),
        Transition(.idle, .leave(failed), .leaving(failed)),
        Transition(.open, .leave(.stopped), .closing(.stopped)),
        Transition(.open, .leave(.fenced), .closing(.fenced)),
        Transition(.open, .leave(.renewed), .closing(.renewed)),
        Transition(.closing(.stopped), .ended, .leaving(.stopped)),
        Transition(.closing(.fenced), .ended, .leaving(.fenced)),
        Transition(.closing(.stopped), .began, .closing(.stopped)),
        Transition(.leaving(.stopped), .ended, .leaving(.stopped)),
        // The last proof of a worker that leaves of its own accord.
        Transition(.leaving(.stopped), .began, .closing(.stopped)),
        Transition(.leaving(failed), .began, .closing(failed)),
        Transition(.leaving(.fenced), .began, .leaving(.fenced)),
        Transition(.leaving(.renewed), .began, .leaving(.renewed)),
        // The weightier reason stays.
        Transition(.leaving(.stopped), .leave(.renewed), .leaving(.renewed)),
        Transition(.leaving(.renewed), .leave(.fenced), .leaving(.fenced)),
        Transition(.leaving(.fenced), .leave(failed), .leaving(failed)),
        Transition(.leaving(.fenced), .leave(.renewed), .leaving(.fenced)),
        Transition(.leaving(.fenced), .leave(.stopped), .leaving(.fenced)),
        Transition(.leaving(failed), .leave(.fenced), .leaving(failed)),
        Transition(.closing(.stopped), .leave(.fenced), .closing(.fenced)),
        Transition(.closing(.fenced), .leave(.stopped), .closing(.fenced)),
    ]

    @Test("Each transition", arguments: transitions)
    func transition(_ transition: Transition) {
        var life = life(in: transition.from)
        life.handle(transition.event)
        #expect(life.state == transition.to)
    }

    @Test("Whatever happens in whatever order: who was ousted commits nothing more, and who leaves does not come back")
    func anyOrder() {
        let events: [Life.Event] =
            [.began, .ended] + [Life.Departure.stopped, .renewed, .fenced, Self.failed].map { .leave($0) }
        func walk(_ life: Life, _ depth: Int) {
            for event in events {
                var next = life
                next.handle(event)
                if life.departure != nil { #expect(next.departure != nil) }
                switch next.departure {
                case .fenced, .renewed: #expect(!next.mayCommit)
                case .stopped, .failed, nil: #expect(next.mayCommit)
                }
                if event == .ended { #expect(!next.isOpen) }
                if case .leave = event { #expect(next.isOpen == life.isOpen) }
                if depth > 1 { walk(next, depth - 1) }
            }
        }
        walk(Life(), 4)
    }
}
