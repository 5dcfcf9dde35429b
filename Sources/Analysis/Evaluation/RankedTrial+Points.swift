import Base

/// The walk along the ranking that every curve is made by, chunk by chunk on all threads.
extension RankedTrial {
    /// The curves' points at each distinct score, the origin first.
    static func points(
        _ trial: Trial, _ ranking: Ranking, _ totals: ChunkTotals, _ threads: Int, qini: Bool, uplift: Bool
    ) -> (population: [Double], qini: [Double], uplift: [Double]) {
        let count = totals.points[totals.chunks]
        var qiniValue: [Double] = []
        var upliftValue: [Double] = []
        let population = makeColumn(count) { x in
            qiniValue = makeColumn(qini ? count : 0) { q in
                upliftValue = makeColumn(uplift ? count : 0) { u in
                    Parallel.forEach(totals.chunks, threads: threads) { chunk in
                        var tally = totals.tallies[chunk]
                        var place = totals.points[chunk]
                        walk(trial, ranking, ChunkTotals.range(chunk, of: ranking), &tally) { tally in
                            x[place] = tally.weight
                            if qini { q[place] = tally.qini }
                            if uplift { u[place] = tally.gain }
                            place &+= 1
                        }
                    }
                }
            }
        }
        return (population, qiniValue, upliftValue)
    }

    /// Adds the ranks of `range` to `tally` and calls `emit` after the last row of each distinct score.
    @inline(__always)
    static func walk(
        _ trial: Trial, _ ranking: Ranking, _ range: Range<Int>, _ tally: inout Tally, _ emit: (Tally) -> Void
    ) {
        let rows = ranking.rows
        if trial.hasBinaryOutcome && trial.weight == nil {
            // Whole numbers, and no look at the columns: the ranking carries both bits.
            var counts = ArmCounts(tally)
            for rank in range {
                counts.add(rows[rank])
                if rows[rank].isLastOfTie { emit(counts.tally) }
            }
            tally = counts.tally
            return
        }
        trial.outcome.withUnsafeBufferPointer { outcome in
            for rank in range {
                let row = rows[rank].row
                tally.add(treated: rows[rank].isTreated, weight: trial.weight?[row] ?? 1, outcome: outcome[row])
                if rows[rank].isLastOfTie { emit(tally) }
            }
        }
    }

    /// A tally in whole numbers.
    private struct ArmCounts {
        private var rows: Int
        private var treated: Int
        private var responses: Int
        private var treatedResponses: Int

        init(_ tally: Tally) {
            rows = Int(saturating: tally.weight)
            treated = Int(saturating: tally.treatedWeight)
            responses = Int(saturating: tally.treatedOutcome + tally.controlOutcome)
            treatedResponses = Int(saturating: tally.treatedOutcome)
        }

        @inline(__always)
        mutating func add(_ row: RankedRow) {
            rows &+= 1
            treated &+= row.arm
            responses &+= row.response
            treatedResponses &+= row.arm & row.response
        }

        @inline(__always)
        var tally: Tally {
            Tally(
                treatedWeight: Double(treated), controlWeight: Double(rows &- treated),
                treatedOutcome: Double(treatedResponses), controlOutcome: Double(responses &- treatedResponses))
        }
    }

    /// A column of `count` values that `fill` writes, all but the first, which is 0.
    private static func makeColumn(_ count: Int, _ fill: (UnsafeMutablePointer<Double>) -> Void) -> [Double] {
        guard count > 0 else {
            withUnsafeTemporaryAllocation(of: Double.self, capacity: 1) { fill($0.baseAddress!) }  // capacity is 1
            return []
        }
        return [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
            let start = buffer.baseAddress!  // capacity is not 0
            adviseHugePages(start, bytes: count * MemoryLayout<Double>.stride)
            start[0] = 0
            fill(start)
            initialized = count
        }
    }
}
