import Kafka
import Pipeline
import Testing

@Suite("Positions in the input")
struct ReadPositionsTests {
    private let events = TopicPartition("events", 3)
    private let orders = TopicPartition("orders", 3)

    private func positions(_ committed: [TopicPartition: Int64]) -> ReadPositions {
        let positions = ReadPositions([events, orders])
        positions.begin(at: committed.mapValues { CommittedOffset($0) })
        return positions
    }

    private func marks(_ high: Int64, low: Int64 = 0) -> (TopicPartition) -> Watermarks? {
        { _ in Watermarks(low: low, high: high) }
    }

    @Test(
        "Lag is what lies behind the position; from the log's beginning without a commit; unknown without marks"
    )
    func lag() {
        let positions = positions([events: 40])
        #expect(positions.lag(marks(100)) == 60 + 100)
        #expect(positions.lag(marks(100, low: 30)) == 60 + 70)
        #expect(positions.lag(marks(100, low: 90)) == 10 + 10)
        #expect(positions.lag { $0 == orders ? nil : Watermarks(low: 0, high: 100) } == nil)
        positions.advance(0, to: 100, timestamp: 5, index: 0)
        positions.advance(1, to: 99, timestamp: 5, index: 0)
        #expect(positions.lag(marks(100)) == 1)
    }

    @Test("At the end the lag is 0 although the log goes on: an open transaction, markers")
    func atTheEnd() {
        let positions = positions([events: 40, orders: 100])
        positions.reachedEnd(0, at: 40)
        _ = positions.settleEnds()
        #expect(positions.lag(marks(100)) == 0)
        positions.advance(0, to: 41, timestamp: 5, index: 0)
        #expect(positions.lag(marks(100)) == 59)
    }

    @Test("Markers are passed over once everything before them was handled, and are part of the next commit")
    func markers() {
        let positions = positions([events: 40, orders: 7])
        positions.advance(0, to: 42, timestamp: 5, index: 0)
        positions.reachedEnd(0, at: 43)
        #expect(positions.changed == [events: 42])
        #expect(positions.settleEnds { $0 != events } == false)
        #expect(positions.changed == [events: 42])
        #expect(positions.settleEnds())
        #expect(positions.changed == [events: 43])
        positions.accept()
        #expect(!positions.isDirty)
        // The end again, with nothing new.
        positions.reachedEnd(0, at: 43)
        #expect(!positions.settleEnds())
    }

    @Test("An end before the position moves nothing back, and that of an empty log says nothing")
    func nothingToPass() {
        let positions = positions([events: 40])
        positions.reachedEnd(0, at: 39)
        positions.reachedEnd(1, at: 0)
        #expect(!positions.settleEnds())
        #expect(positions.known == [events: 40])
    }

    @Test("After a rollback an end that was reached is forgotten: what lies before it comes again")
    func rollback() {
        let positions = positions([events: 40, orders: 7])
        positions.advance(0, to: 60, timestamp: 5, index: 0)
        positions.reachedEnd(0, at: 61)
        positions.undo()
        #expect(!positions.settleEnds())
        #expect(positions.known[events] == 40)
        #expect(positions.lag(marks(61)) == 21 + 54)
    }

    @Test("What was read last is that of the last commit after a rollback, and comes back from the offset's own text")
    func lastRecord() {
        let positions = positions([events: 40])
        #expect(positions.last(of: events) == nil)
        positions.advance(0, to: 41, timestamp: 5, index: 3)
        positions.advance(0, to: 42, timestamp: 6, index: 4)
        positions.sumUp { UInt32($0) }
        let committed = LastRecord(offset: 41, timestamp: 6, checksum: 4)
        #expect(positions.last(of: events) == committed)
        // Nothing new: nothing to sum up.
        positions.sumUp { _ in 99 }
        // Markers and what was passed over are not what was read.
        positions.pass(0, to: 43)
        positions.reachedEnd(0, at: 44)
        #expect(positions.settleEnds())
        positions.accept()
        #expect(positions.last(of: events) == committed)
        positions.advance(0, to: 50, timestamp: 7, index: 0)
        positions.sumUp { _ in 1 }
        positions.undo()
        #expect(positions.last(of: events) == committed)
        #expect(positions.known == [events: 44])

        let mark = StateTie.Mark(last: committed, users: 1, changelog: 1)
        positions.begin(at: [events: CommittedOffset(44, metadata: mark.text), orders: CommittedOffset(7)])
        #expect(positions.last(of: events) == committed)
        #expect(positions.last(of: orders) == nil)
    }
}
