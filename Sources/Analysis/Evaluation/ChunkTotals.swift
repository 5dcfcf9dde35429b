import Base

/// What came before each stretch of a fixed number of ranks, so that threads can walk them at the same time.
struct ChunkTotals {
    static let size = 1 << 16

    /// The tally before each chunk, and after the last.
    private(set) var tallies: [Tally]
    /// How many points of a curve, the origin among them, stand before each chunk, and after the last.
    private(set) var points: [Int]

    var chunks: Int { tallies.count - 1 }
    var all: Tally { tallies[chunks] }

    static func range(_ chunk: Int, of ranking: Ranking) -> Range<Int> {
        (chunk * size)..<min(ranking.count, (chunk + 1) * size)
    }

    init(_ trial: Trial, _ ranking: Ranking, threads: Int) {
        let chunks = (ranking.count + Self.size - 1) / Self.size
        var parts = [(tally: Tally, points: Int)](repeating: (Tally(), 0), count: chunks)
        parts.withUnsafeMutableBufferPointer { parts in
            nonisolated(unsafe) let parts = parts  // each chunk writes its own
            Parallel.forEach(chunks, threads: threads) { chunk in
                var points = 0
                var tally = Tally()
                RankedTrial.walk(trial, ranking, Self.range(chunk, of: ranking), &tally) { _ in points &+= 1 }
                parts[chunk] = (tally, points)
            }
        }
        tallies = [Tally()]
        points = [1]
        for chunk in 0..<chunks {
            var tally = tallies[chunk]
            tally += parts[chunk].tally
            tallies.append(tally)
            points.append(points[chunk] + parts[chunk].points)
        }
    }
}
