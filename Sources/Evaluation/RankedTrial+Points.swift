/// The walk along the ranking that every curve is made by: totals of fixed chunks first, then each chunk on its own.
extension RankedTrial {
    private static let chunk = 1 << 16

    /// The tally before each chunk, and after the last.
    static func totals(_ trial: Trial, _ ranking: Ranking, _ threads: Int) -> [Tally] {
        let chunks = (ranking.count + chunk - 1) / chunk
        var parts = [Tally](repeating: Tally(), count: chunks + 1)
        parts.withUnsafeMutableBufferPointer { parts in
            let start = parts.baseAddress! + 1  // chunks + 1 is at least 1
            Parallel.forEach(chunks, threads: threads) { index in
                var tally = Tally()
                walk(trial, ranking, range(index, ranking.count), &tally) { _ in }
                start[index] = tally
            }
        }
        for index in 1..<max(1, parts.count) {
            let previous = parts[index - 1]
            parts[index] += previous
        }
        return parts
    }

    /// The curves' points at each distinct score, the origin first.
    static func points(
        _ trial: Trial, _ ranking: Ranking, _ threads: Int, qini: Bool, uplift: Bool
    ) -> (population: [Double], qini: [Double], uplift: [Double]) {
        let tallies = totals(trial, ranking, threads)
        var starts = [Int](repeating: 0, count: tallies.count)
        starts.withUnsafeMutableBufferPointer { starts in
            let starts = starts.baseAddress!  // as above
            Parallel.forEach(tallies.count - 1, threads: threads) { index in
                var distinct = 0
                for row in range(index, ranking.count) { distinct &+= isLastOfTie(ranking, row) ? 1 : 0 }
                starts[index + 1] = distinct
            }
        }
        starts[0] = 1  // after the origin
        for index in 1..<max(1, starts.count) { starts[index] += starts[index - 1] }
        let count = starts[starts.count - 1]

        var qiniValue: [Double] = []
        var upliftValue: [Double] = []
        let population = makeColumn(count) { x in
            qiniValue = makeColumn(qini ? count : 0) { q in
                upliftValue = makeColumn(uplift ? count : 0) { u in
                    Parallel.forEach(tallies.count - 1, threads: threads) { index in
                        var tally = tallies[index]
                        var place = starts[index]
                        walk(trial, ranking, range(index, ranking.count), &tally) { tally in
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

    private static func range(_ index: Int, _ count: Int) -> Range<Int> {
        (index * chunk)..<min(count, (index + 1) * chunk)
    }

    @inline(__always)
    private static func isLastOfTie(_ ranking: Ranking, _ row: Int) -> Bool {
        row + 1 == ranking.count || ranking.rows[row].key != ranking.rows[row + 1].key
    }

    /// Adds the ranks of `range` to `tally` and calls `emit` after the last row of each distinct score.
    @inline(__always)
    private static func walk(
        _ trial: Trial, _ ranking: Ranking, _ range: Range<Int>, _ tally: inout Tally, _ emit: (Tally) -> Void
    ) {
        let rows = ranking.rows
        if trial.hasBinaryOutcome && trial.weight == nil {
            // Whole numbers, and no look at the columns: the ranking carries both bits.
            var treated = Int(tally.treatedWeight)
            var control = Int(tally.controlWeight)
            var treatedOutcome = Int(tally.treatedOutcome)
            var controlOutcome = Int(tally.controlOutcome)
            for rank in range {
                let bits = Int(truncatingIfNeeded: rows[rank].payload)
                let arm = bits & 1
                let responded = bits >> 1 & 1
                treated &+= arm
                control &+= 1 - arm
                treatedOutcome &+= arm & responded
                controlOutcome &+= (1 - arm) & responded
                if isLastOfTie(ranking, rank) {
                    emit(
                        Tally(
                            treatedWeight: Double(treated), controlWeight: Double(control),
                            treatedOutcome: Double(treatedOutcome), controlOutcome: Double(controlOutcome)))
                }
            }
            tally = Tally(
                treatedWeight: Double(treated), controlWeight: Double(control),
                treatedOutcome: Double(treatedOutcome), controlOutcome: Double(controlOutcome))
            return
        }
        trial.outcome.withUnsafeBufferPointer { outcome in
            for rank in range {
                let row = rows[rank].row
                tally.add(treated: rows[rank].isTreated, weight: trial.weight?[row] ?? 1, outcome: outcome[row])
                if isLastOfTie(ranking, rank) { emit(tally) }
            }
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
