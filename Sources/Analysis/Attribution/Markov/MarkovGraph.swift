import Base

/// The graph with its transition probabilities, and the chance to convert with and without each channel.
struct MarkovGraph {
    struct Solution {
        /// The chance that a journey converts.
        var probability: Double
        /// The share of conversions that are lost without each channel.
        var effects: [Double]
        var sweeps: Int
    }

    private let newest: [Int32]
    private let channels: Int
    /// Edges of state s: `first[s] ..< first[s + 1]`.
    private var first: [Int32]
    private var target: [Int32]
    private var chance: [Double]
    /// The chance to convert right after each state.
    private var converts: [Double]
    /// One over one minus the chance to stay.
    private var leaves: [Double]

    init(
        newest: [Int32], edges: [EdgeCounts.Edge], conversions: [Double], nulls: [Double], channels: Int
    ) {
        self.newest = newest
        self.channels = channels
        var total = zip(conversions, nulls).map { $0 + $1 }
        for edge in edges { total[Int(edge.from)] += edge.count }
        converts = zip(conversions, total).map { $1 > 0 ? $0 / $1 : 0 }
        first = [Int32](repeating: 0, count: newest.count + 1)
        leaves = [Double](repeating: 1, count: newest.count)
        target = []
        chance = []
        var state = 0
        for edge in edges {
            while state < Int(edge.from) {
                state += 1
                first[state] = Int32(target.count)
            }
            let probability = edge.count / total[Int(edge.from)]
            if edge.to == edge.from {
                leaves[Int(edge.from)] = 1 / (1 - probability)
                continue
            }
            target.append(edge.to)
            chance.append(probability)
        }
        while state < newest.count {
            state += 1
            first[state] = Int32(target.count)
        }
    }

    func solve() -> Solution {
        // All channels eight at a time; lane 0 of the first block removes nothing.
        let lanes = channels + 1
        let blocks = (lanes + 7) / 8
        var results = [SIMD8<Double>](repeating: .zero, count: blocks)
        var sweeps = [Int](repeating: 0, count: blocks)
        results.withUnsafeMutableBufferPointer { results in
            sweeps.withUnsafeMutableBufferPointer { sweeps in
                nonisolated(unsafe) let (results, sweeps) = (results, sweeps)
                Parallel.forEach(blocks, threads: Parallel.processors) { block in
                    (results[block], sweeps[block]) = solve(block: block)
                }
            }
        }
        let probability = results.first?[0] ?? 0
        let effects = (0..<channels).map { channel in
            let without = results[(channel + 1) / 8][(channel + 1) % 8]
            return probability > 0 ? min(1, max(0, 1 - without / probability)) : 0
        }
        return Solution(probability: probability, effects: effects, sweeps: sweeps.max() ?? 0)
    }

    /// Gauss–Seidel for p = Q p + r, from the last state to the first, with eight right-hand sides: entering a state whose
    /// newest channel is removed is worth nothing.
    private func solve(block: Int) -> (SIMD8<Double>, Int) {
        let count = newest.count
        var worth = [SIMD8<Double>](repeating: .zero, count: count)
        var keep = [SIMD8<Double>](repeating: SIMD8(repeating: 1), count: channels + 1)
        for lane in 0..<8 {
            let removed = block * 8 + lane - 1
            if removed >= 0, removed < channels { keep[removed + 1][lane] = 0 }
        }
        var sweeps = 0
        worth.withUnsafeMutableBufferPointer { worth in
            keep.withUnsafeBufferPointer { keep in
                first.withUnsafeBufferPointer { first in
                    target.withUnsafeBufferPointer { target in
                        chance.withUnsafeBufferPointer { chance in
                            while sweeps < 20_000 {
                                var change = SIMD8<Double>.zero
                                for state in stride(from: count - 1, through: 0, by: -1) {
                                    var sum = SIMD8<Double>(repeating: converts[state])
                                    for edge in Int(first[state])..<Int(first[state + 1]) {
                                        sum += chance[edge] * worth[Int(target[edge])]
                                    }
                                    sum *= leaves[state]
                                    sum *= keep[Int(newest[state]) + 1]
                                    let difference = sum - worth[state]
                                    change = pointwiseMax(change, pointwiseMax(difference, -difference))
                                    worth[state] = sum
                                }
                                sweeps += 1
                                if change.max() < 1e-14 { return }
                            }
                        }
                    }
                }
            }
        }
        return (worth[0], sweeps)
    }
}
