import Kafka
import Pipeline
import StateStore
import Testing

@Suite("Where a partition's state comes from")
struct RestorePlanTests {
    private static let now: Int64 = 1_795_255_200_000
    private static let day: Int64 = 86_400_000

    private func decide(
        _ change: (inout Checkpoint) -> Void = { _ in }, marks: Watermarks = Watermarks(low: 0, high: 100),
        firstAfter: Int64? = 100, stored: Bool = true
    ) -> RestorePlan {
        var checkpoint = Checkpoint(topic: "log", offset: 60, start: 0, time: Self.now - 60_000, fingerprint: 7)
        change(&checkpoint)
        return RestorePlan.decide(
            stored ? checkpoint : nil, topic: "log", fingerprint: 7, marks: marks, firstAfter: firstAfter,
            now: Self.now,
            tombstoneMilliseconds: Self.day)
    }

    private func isRebuild(_ plan: RestorePlan) -> Bool {
        if case .rebuild = plan { return true }
        return false
    }

    @Test("A store that the changelog vouches for is used from its offset on")
    func used() {
        #expect(decide() == .local(from: 60))
        #expect(decide(firstAfter: 60) == .local(from: 60))
        #expect(decide(firstAfter: nil) == .local(from: 60))
        #expect(decide { $0.offset = 100 } == .local(from: 100))
        #expect(decide { $0.time = Self.now + 60_000 } == .local(from: 60))
    }

    @Test("Without a store all comes from the changelog")
    func nothingStored() { #expect(decide(stored: false) == .changelog) }

    @Test("What the changelog cannot vouch for is rebuilt")
    func rebuilt() {
        #expect(isRebuild(decide { $0.topic = "other" }))
        #expect(isRebuild(decide { $0.fingerprint = 8 }))
        // Records were deleted: below the new beginning, or all of them.
        #expect(isRebuild(decide(marks: Watermarks(low: 61, high: 100))))
        #expect(isRebuild(decide(marks: Watermarks(low: 60, high: 60))))
        // The topic was made anew and is shorter, or has grown beyond the offset by now.
        #expect(isRebuild(decide(marks: Watermarks(low: 0, high: 59))))
        #expect(isRebuild(decide(firstAfter: 0)))
        #expect(isRebuild(decide(firstAfter: 59)))
        // Tombstones may be gone.
        #expect(isRebuild(decide { $0.time = Self.now - Self.day }))
        #expect(isRebuild(decide { $0.time = Self.now - Self.day * 95 / 100 }))
        #expect(!isRebuild(decide { $0.time = Self.now - Self.day * 85 / 100 }))
        #expect(isRebuild(decide { $0.time = Self.now + 3_600_000 }))
    }
}
