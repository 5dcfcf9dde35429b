import Kafka

/// Which partitions this consumer owns and which of them are paused, as a pure value: events in, actions out.
///
/// ```
///               assign                       revoke / commit, then unassign
///   unassigned ───────► assigned ──────────────────────────────► unassigned
///       ▲                  │  │ assign (no revoke came between: the old ones are lost first)
///       │                  │  └─► assigned
///       │                  │ lost / discard, then unassign
///       └──────────────────┘
///   any ── close ──► closing (assignments are declined, revocations are served) ── closed ──► closed
/// ```
/// The assignor is `range`, which is eager: every rebalance revokes all partitions before it assigns anew.
package struct AssignmentStateMachine: Sendable {
    package enum State: Sendable, Equatable { case unassigned, assigned, closing, closed }

    package enum Event: Sendable, Equatable {
        /// The group gives these partitions to this member.
        case assign([TopicPartition])
        /// The group takes them away; this member is still the owner until it answers.
        case revoke([TopicPartition])
        /// The group has taken them away already: the session timed out, or the member was fenced.
        case lost([TopicPartition])
        case close
        case closed
    }

    package enum Action: Sendable, Equatable {
        /// Take over the partitions, then tell the handler.
        case assign([TopicPartition])
        /// Let the handler commit what it has done, then give the partitions back.
        case revoke([TopicPartition])
        /// Let the handler discard what it has not committed, then give the partitions back. Nothing may be committed.
        case discard([TopicPartition])
        /// Answer the group that nothing is owned.
        case unassign
        /// Answer an assignment, and take nothing of it: librdkafka leaves no group before it has an answer.
        case decline
    }

    package private(set) var state = State.unassigned
    /// The partitions owned now.
    package private(set) var owned: Set<TopicPartition> = []
    /// Those among them that are paused.
    package private(set) var paused: Set<TopicPartition> = []
    /// Counts changes of ownership: what was read under another number must not be committed.
    package private(set) var epoch = 0

    package init() {}

    /// The actions to take, in order.
    package mutating func handle(_ event: Event) -> [Action] {
        switch (state, event) {
        case (.unassigned, .assign(let partitions)):
            take(partitions)
            return [.assign(partitions)]
        case (.assigned, .assign(let partitions)):
            let lost = owned.sorted()
            drop()
            take(partitions)
            return lost.isEmpty ? [.assign(partitions)] : [.discard(lost), .assign(partitions)]
        case (.assigned, .revoke):
            // Eager: all of them, whatever the list says.
            let revoked = owned.sorted()
            drop()
            state = .unassigned
            return revoked.isEmpty ? [.unassign] : [.revoke(revoked), .unassign]
        case (.assigned, .lost):
            let lost = owned.sorted()
            drop()
            state = .unassigned
            return lost.isEmpty ? [.unassign] : [.discard(lost), .unassign]
        case (.unassigned, .revoke), (.unassigned, .lost):
            return [.unassign]
        case (.closing, .revoke):
            let revoked = owned.sorted()
            drop()
            return revoked.isEmpty ? [.unassign] : [.revoke(revoked), .unassign]
        case (.closing, .lost):
            let lost = owned.sorted()
            drop()
            return lost.isEmpty ? [.unassign] : [.discard(lost), .unassign]
        case (.closing, .assign):
            let lost = owned.sorted()
            drop()
            return lost.isEmpty ? [.decline] : [.discard(lost), .decline]
        case (.closed, .assign), (.closed, .revoke), (.closed, .lost):
            return [.unassign]
        case (.unassigned, .close), (.assigned, .close):
            state = .closing
            return []
        case (.closing, .closed), (.unassigned, .closed), (.assigned, .closed):
            let lost = owned.sorted()
            drop()
            state = .closed
            return lost.isEmpty ? [] : [.discard(lost)]
        case (.closing, .close), (.closed, .close), (.closed, .closed):
            return []
        }
    }

    /// Marks partitions as paused. Returns those to pause: owned and not paused yet.
    package mutating func pause(_ partitions: some Sequence<TopicPartition>) -> [TopicPartition] {
        let changed = Set(partitions).intersection(owned).subtracting(paused)
        paused.formUnion(changed)
        return changed.sorted()
    }

    /// Marks partitions as running. Returns those to resume: owned and paused. Resuming one that is not paused makes
    /// librdkafka 2.0.2 drop what it has fetched.
    package mutating func resume(_ partitions: some Sequence<TopicPartition>) -> [TopicPartition] {
        let changed = Set(partitions).intersection(owned).intersection(paused)
        paused.subtract(changed)
        return changed.sorted()
    }

    private mutating func take(_ partitions: [TopicPartition]) {
        owned = Set(partitions)
        paused = []
        epoch += 1
        state = .assigned
    }

    private mutating func drop() {
        owned = []
        paused = []
        epoch += 1
    }
}
