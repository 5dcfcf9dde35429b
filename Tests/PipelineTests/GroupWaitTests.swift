import Pipeline
import Testing

@Suite("Waiting for the group")
struct GroupWaitTests {
    private let start = ContinuousClock.now

    private func told(_ wait: inout GroupWait, _ isAssigned: Bool, _ seconds: Double) -> GroupWait.Report? {
        wait.update(isAssigned: isAssigned, now: start + .seconds(seconds))
    }

    @Test("An ordinary rebalance says nothing; a long one after 5 s and each 10 s, and when it is over")
    func reports() {
        var wait = GroupWait()
        #expect(told(&wait, true, 0) == nil && !wait.isWaiting)
        #expect(told(&wait, false, 1) == nil && wait.isWaiting)
        #expect(told(&wait, false, 4) == nil)
        #expect(told(&wait, true, 5) == nil && !wait.isWaiting)

        #expect(told(&wait, false, 10) == nil)
        #expect(told(&wait, false, 14.9) == nil)
        #expect(told(&wait, false, 15) == .waiting(.seconds(5)))
        #expect(told(&wait, false, 24) == nil)
        #expect(told(&wait, false, 25) == .waiting(.seconds(15)))
        #expect(told(&wait, true, 52) == .over(.seconds(42)))
        #expect(told(&wait, true, 53) == nil && !wait.isWaiting)
        #expect(told(&wait, false, 54) == nil)
        #expect(told(&wait, false, 58) == nil)
    }
}
