import Base
import Engine
import Pipeline
import TestSupport
import Testing

/// What a page sees of the stream is a fair part of it.
@Suite("Samples of the running pipeline")
struct LiveTapTests {
    /// Hands over one batch of so many records, each of one byte.
    private func offer(_ tap: LiveTap, _ count: Int, _ byte: UInt8) {
        let bytes = [UInt8](repeating: byte, count: count)
        let records = (0..<count).map { OutputRecord(key: nil, value: $0..<$0 + 1, timestamp: 1) }
        records.withUnsafeBufferPointer { records in bytes.withUnsafeBytes { tap.offer(records, $0) } }
    }

    @Test("A burst in one batch is seen as what it is")
    func burst() {
        let tap = LiveTap(workers: 1)
        offer(tap, 556, 7)
        let sample = tap.takeScores()
        #expect(sample.count == 556 && sample.scores.count == 128)
        #expect(tap.takeScores().count == 0)
        offer(tap, 9, 7)
        let small = tap.takeScores()
        #expect(small.count == 9 && small.scores.count == 9)
    }

    @Test("Each score has the same chance, whether it came in a large batch, in a small one, early or late")
    func fairness() {
        let tap = LiveTap(workers: 1)
        var seen = [Int](repeating: 0, count: 4)
        let rounds = 400
        for _ in 0..<rounds {
            for _ in 0..<1_000 { offer(tap, 1, 0) }
            offer(tap, 2_000, 1)
            for _ in 0..<10 { offer(tap, 100, 2) }
            offer(tap, 1_000, 3)
            for score in tap.takeScores().scores { seen[Int(score[0])] += 1 }
        }
        let all = seen.reduce(0, +)
        #expect(all == rounds * 128)
        for (kind, share) in [0.2, 0.4, 0.2, 0.2].enumerated() {
            // Six standard errors of a binomial share.
            let error = 6 * (share * (1 - share) / Double(all)).squareRoot()
            #expect(abs(Double(seen[kind]) / Double(all) - share) < error, "\(kind): \(seen)")
        }
    }

    @Test("Users who are erased or refuse are told once; when they are too many, that everybody must go")
    func withdrawn() {
        let tap = LiveTap(workers: 1)
        func withdraw(_ user: String) { Array(user.utf8).withUnsafeBytes { tap.withdraw($0) } }
        withdraw("a")
        withdraw("b")
        withdraw("a")
        #expect(tap.takeWithdrawn() == [Array("a".utf8), Array("b".utf8)])
        #expect(tap.takeWithdrawn() == [])
        for number in 0..<5_000 { withdraw("u\(number)") }
        #expect(tap.takeWithdrawn() == nil)
        withdraw("c")
        #expect(tap.takeWithdrawn() == [Array("c".utf8)])
    }

    @Test("Of dead letters there is one of each code, the newest")
    func rejections() {
        let tap = LiveTap(workers: 1)
        func reject(_ code: String, _ offset: Int64) {
            tap.reject(code: code, reason: "r", topic: "t", partition: 0, offset: offset, value: nil)
        }
        for offset in 0..<500 { reject("common", Int64(offset)) }
        reject("rare", 500)
        for offset in 501..<1_000 { reject("common", Int64(offset)) }
        #expect(Set(tap.rejections.map(\.code)) == ["common", "rare"] && tap.rejections.count == 2)
    }
}
