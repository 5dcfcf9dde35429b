import Sinks
import TestSupport
import Testing

@Suite("Which letters were sent") struct SentLettersTests {
    @Test("Random replays of ranges, some cut short: exactly the letters that were sent count as sent")
    func againstASet() throws {
        var random = SeededGenerator.announced()
        for _ in 0..<300 {
            // Letters of the code lie anywhere in the topic; others between them.
            var offsets: [Int64] = []
            var next: Int64 = 0
            for _ in 0..<Int.random(in: 1...60, using: &random) {
                next += Int64.random(in: 1...5, using: &random)
                offsets.append(next - 1)
            }
            var sent: Set<Int64> = []
            var letters = SentLetters()
            for _ in 0..<6 {
                letters = try #require(SentLetters(position: letters.position, metadata: letters.metadata))
                let kind = Int.random(in: 0..<3, using: &random)
                let from = Int64.random(in: 0...next, using: &random)
                let share = Int.random(in: 0...100, using: &random)
                // A killed replay commits a beginning only.
                let cut =
                    Bool.random(using: &random) ? offsets.count : Int.random(in: 0...offsets.count, using: &random)
                letters.begin()
                for offset in offsets.prefix(cut) {
                    let isWanted =
                        kind == 0 || kind == 1 && offset >= from
                        || kind == 2 && Int.random(in: 0..<100, using: &random) < share
                    if letters.contains(offset) {
                        letters.meet(offset)
                    } else if isWanted {
                        letters.send(offset)
                        sent.insert(offset)
                    } else {
                        letters.leave(offset)
                    }
                }
                for offset in offsets { #expect(letters.contains(offset) == sent.contains(offset)) }
                // What arrives later was not sent.
                #expect(!letters.contains(next + 1))
            }
            letters.begin()
            for offset in offsets { letters.send(offset) }
            // All sent is one range again.
            #expect(letters.position == next && letters.metadata.isEmpty)
        }
    }

    @Test("Damaged metadata is told from ours")
    func damaged() {
        for text in ["x", "1+", "+1", "0+1", "1+0", "-1+2", "1+2+3", "1+1 zzzzzzzzzzzzz+1", "?"] {
            #expect(SentLetters(position: 5, metadata: text) == nil)
        }
        #expect(SentLetters(position: 5, metadata: nil) == SentLetters(position: 5, metadata: ""))
        #expect(SentLetters(position: 5, metadata: "2+a 1+1")?.contains(16) == true)
        #expect(SentLetters(position: 5, metadata: "2+a 1+1")?.contains(17) == false)
    }
}
