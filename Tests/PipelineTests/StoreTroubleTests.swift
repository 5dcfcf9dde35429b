import Pipeline
import Testing

@Suite("A local store that takes no writes") struct StoreTroubleTests {
    @Test("Told at first and once a minute, mended with growing waits, told when it is over")
    func course() {
        let trouble = StoreTrouble()
        let begin = ContinuousClock.now
        #expect(trouble.succeeded(at: begin) == nil)
        #expect(trouble.failed(at: begin) == .init(tells: true, mends: true))
        // Another partition, at the same time.
        #expect(trouble.failed(at: begin) == .init(tells: false, mends: false))
        var told = 0
        var mended = 0
        for tenth in 1...1_200 {
            let advice = trouble.failed(at: begin + .milliseconds(tenth * 100))
            told += advice.tells ? 1 : 0
            mended += advice.mends ? 1 : 0
        }
        #expect(told == 2)
        // After 0.5, 1, 2, 4 s, and then every 5 s of two minutes.
        #expect(mended == 26)
        #expect(trouble.succeeded(at: begin + .seconds(121)) == .seconds(121))
        #expect(trouble.succeeded(at: begin + .seconds(122)) == nil)
        #expect(trouble.failed(at: begin + .seconds(123)) == .init(tells: true, mends: true))
    }
}
