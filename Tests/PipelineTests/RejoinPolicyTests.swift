import Pipeline
import Testing

@Suite("Joining anew after a fence") struct RejoinPolicyTests {
    @Test("At once the first time, then with growing waits, and not for ever")
    func growing() {
        var policy = RejoinPolicy()
        let waits = (0..<8).map { _ in policy.wait(afterLifeOf: .seconds(5)) }
        #expect(waits == [.zero, .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(10), .seconds(10), nil])
    }

    @Test("A worker that had joined in earnest begins to count anew")
    func longLife() {
        var policy = RejoinPolicy()
        for _ in 0..<5 { _ = policy.wait(afterLifeOf: .seconds(1)) }
        #expect(policy.wait(afterLifeOf: .seconds(31)) == .zero)
        for _ in 0..<6 { #expect(policy.wait(afterLifeOf: .seconds(1)) != nil) }
        #expect(policy.wait(afterLifeOf: .seconds(1)) == nil)
    }
}
