import Pipeline
import Testing

@Suite("The schedule of a partition's checkpoints")
struct CheckpointScheduleTests {
    typealias Schedule = CheckpointSchedule

    static let start = ContinuousClock.now
    static let marks = CheckpointTicket.Marks(stable: 60, start: 3, time: 1_000)
    static let later = CheckpointTicket.Marks(stable: 90, start: 3, time: 2_000)

    private static func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    /// Due after 1 s, then each 10 s; unchanged partitions each 100 s.
    private func schedule() -> Schedule {
        Schedule(now: Self.start, firstAfter: .seconds(1), interval: .seconds(10), renewalInterval: .seconds(100))
    }

    private func asking() -> Schedule {
        var schedule = schedule()
        _ = schedule.handle(.changed)
        #expect(schedule.handle(.time(Self.at(1), isProven: false)) == .ask)
        return schedule
    }

    private func writing() -> Schedule {
        var schedule = asking()
        #expect(schedule.handle(.answered(Self.marks, isSameStore: true, Self.at(2))) == .begin)
        return schedule
    }

    private func finishing() -> Schedule {
        var schedule = writing()
        #expect(schedule.handle(.wrote(upTo: 4, of: 4)) == .close(Self.marks))
        return schedule
    }

    @Test("Nothing is asked before it is due; what changed is due earlier than what did not")
    func due() {
        var schedule = schedule()
        #expect(schedule.handle(.time(Self.at(50), isProven: true)) == .none)
        #expect(schedule.handle(.time(Self.at(100), isProven: true)) == .ask)
        var changed = self.schedule()
        _ = changed.handle(.changed)
        #expect(changed.handle(.time(Self.at(0.9), isProven: true)) == .none)
        #expect(changed.handle(.time(Self.at(1), isProven: true)) == .ask)
        #expect(changed.phase == .asking)
    }

    @Test("A pass begins only behind a commit that proved the partition, with the answer asked for before it")
    func proof() {
        var schedule = asking()
        #expect(schedule.handle(.time(Self.at(2), isProven: false)) == .none)
        #expect(schedule.handle(.time(Self.at(2), isProven: true)) == .takeAnswer)
        #expect(schedule.handle(.waiting) == .none)
        #expect(schedule.phase == .asking)
        #expect(schedule.handle(.answered(Self.marks, isSameStore: true, Self.at(2))) == .begin)
        #expect(schedule.phase == .writing(segment: 0, Self.marks))
        #expect(!schedule.hasChanges)
    }

    @Test("Without an answer it is tried again after the interval")
    func noAnswer() {
        var schedule = asking()
        #expect(schedule.handle(.answered(nil, isSameStore: true, Self.at(2))) == .none)
        #expect(schedule.phase == .idle)
        #expect(schedule.handle(.time(Self.at(11), isProven: true)) == .none)
        #expect(schedule.handle(.time(Self.at(12), isProven: true)) == .ask)
    }

    @Test("Pieces go on where the last one ended, and the last one closes the pass")
    func pieces() {
        var schedule = writing()
        #expect(schedule.handle(.time(Self.at(3), isProven: false)) == .write(segment: 0, all: false))
        #expect(schedule.handle(.wrote(upTo: 3, of: 4)) == .none)
        #expect(schedule.handle(.time(Self.at(3), isProven: false)) == .write(segment: 3, all: false))
        #expect(schedule.handle(.wrote(upTo: 4, of: 4)) == .close(Self.marks))
        #expect(schedule.handle(.time(Self.at(4), isProven: false)) == .takeResult)
        #expect(schedule.isWorking)
        #expect(schedule.handle(.written(isSameStore: true, Self.at(5))) == .none)
        #expect(schedule.phase == .idle)
        _ = schedule.handle(.changed)
        #expect(schedule.handle(.time(Self.at(14), isProven: false)) == .none)
        #expect(schedule.handle(.time(Self.at(15), isProven: false)) == .ask)
    }

    @Test("A write that failed: the next pass writes every user, until one has succeeded")
    func failure() {
        var schedule = finishing()
        #expect(schedule.handle(.failed(Self.at(5))) == .none)
        #expect(schedule.phase == .idle && schedule.hasChanges && schedule.needsAll)
        _ = schedule.handle(.time(Self.at(15), isProven: true))
        _ = schedule.handle(.answered(Self.later, isSameStore: true, Self.at(15)))
        #expect(schedule.handle(.time(Self.at(16), isProven: true)) == .write(segment: 0, all: true))
        _ = schedule.handle(.wrote(upTo: 4, of: 4))
        _ = schedule.handle(.written(isSameStore: true, Self.at(17)))
        #expect(!schedule.needsAll)
    }

    @Test("Another store gets every user; one that alone had some of them makes the partition lost")
    func otherStore() {
        var schedule = asking()
        #expect(schedule.handle(.answered(Self.marks, isSameStore: false, Self.at(2))) == .begin)
        #expect(schedule.needsAll && !schedule.isLost)
        var spilled = asking()
        _ = spilled.handle(.spilled)
        #expect(spilled.handle(.answered(Self.marks, isSameStore: false, Self.at(2))) == .none)
        #expect(spilled.isLost && spilled.phase == .idle)
    }

    @Test("The last pass begins at once, or behind the one under way when that left something")
    func last() {
        var idle = schedule()
        #expect(idle.handle(.last(Self.later, isSameStore: true, Self.at(0))) == .none)
        _ = idle.handle(.changed)
        #expect(idle.handle(.last(Self.later, isSameStore: true, Self.at(0))) == .begin)
        var complete = finishing()
        #expect(complete.handle(.last(Self.later, isSameStore: true, Self.at(3))) == .none)
        #expect(complete.handle(.written(isSameStore: true, Self.at(4))) == .none)
        var behind = writing()
        _ = behind.handle(.changed)
        #expect(behind.handle(.last(Self.later, isSameStore: true, Self.at(3))) == .none)
        _ = behind.handle(.wrote(upTo: 4, of: 4))
        #expect(behind.handle(.written(isSameStore: true, Self.at(4))) == .begin)
        #expect(behind.phase == .writing(segment: 0, Self.later))
    }
}
