import Attribution
import Statistics
import Testing

@Suite struct ShapleyTests {
    @Test func aKnownGame() throws {
        // v({a}) = 4, v({b}) = 0, v({a, b}) = 10.
        let fitter = ShapleyFitter()
        fitter.add([0], conversions: 4, nulls: 0)
        fitter.add([0, 1], conversions: 6, nulls: 0)
        #expect(fitter.finish(channels: 2).channelTotals == [7, 3])
    }

    /// The definition: marginal worth over all orders of the channels.
    private func byDefinition(_ sets: [(set: [Int32], conversions: Double, nulls: Double)], _ channels: Int, rate: Bool)
        -> [Double]
    {
        func worth(_ coalition: Set<Int32>) -> Double {
            var (conversions, nulls) = (0.0, 0.0)
            for item in sets where coalition.isSuperset(of: item.set) {
                conversions += item.conversions
                nulls += item.nulls
            }
            return rate ? (conversions + nulls > 0 ? conversions / (conversions + nulls) : 0) : conversions
        }
        var sums = [Double](repeating: 0, count: channels)
        var orders = 0.0
        func visit(_ order: [Int32]) {
            if order.count == channels {
                orders += 1
                var before: Set<Int32> = []
                for channel in order {
                    let low = worth(before)
                    before.insert(channel)
                    sums[Int(channel)] += worth(before) - low
                }
                return
            }
            for next in 0..<Int32(channels) where !order.contains(next) { visit(order + [next]) }
        }
        visit([])
        return sums.map { $0 / orders }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func closedFormAndAllSetsAreTheDefinition(seed: UInt64) throws {
        var random = RandomStream(seed: seed, lane: 3)
        let channels = 5
        var sets: [(set: [Int32], conversions: Double, nulls: Double)] = []
        for _ in 0..<12 {
            let set = (0..<Int32(channels)).filter { _ in random.happens(0.5) }
            if !set.isEmpty { sets.append((set, Double(random.below(50)), Double(random.below(200)))) }
        }
        let plain = ShapleyFitter()
        let rate = ShapleyFitter(worth: .rate)
        for item in sets {
            plain.add(item.set, conversions: item.conversions, nulls: item.nulls)
            rate.add(item.set, conversions: item.conversions, nulls: item.nulls)
        }
        let totals = try #require(plain.finish(channels: channels).channelTotals)
        for (a, b) in zip(totals, byDefinition(sets, channels, rate: false)) {
            #expect(abs(a - b) < 1e-9, "seed \(seed)")
        }
        let fitted = try #require(rate.finish(channels: channels) as? ShapleyModel)
        let values = try #require(fitted.values)
        for (a, b) in zip(values, byDefinition(sets, channels, rate: true)) {
            #expect(abs(a - max(b, 0)) < 1e-9, "seed \(seed)")
        }
    }

    @Test func sampledValuesAreWithinTheirStatedError() throws {
        var random = RandomStream(seed: 11, lane: 4)
        let exact = ShapleyFitter(worth: .rate)
        let sampled = ShapleyFitter(worth: .rate, permutations: 4_000, seed: 3)
        // Fifteen channels matter; a sixteenth makes the second fitter sample and changes nothing else.
        for _ in 0..<80 {
            let set = (0..<Int32(15)).filter { _ in random.happens(0.2) }
            let (conversions, nulls) = (Double(random.below(30)), Double(random.below(100)))
            exact.add(set, conversions: conversions, nulls: nulls)
            sampled.add(set, conversions: conversions, nulls: nulls)
        }
        sampled.add([15], conversions: 0, nulls: 0)
        let truth = try #require(exact.finish(channels: 16).channelTotals)
        let model = try #require(sampled.finish(channels: 16) as? ShapleyModel)
        let errors = try #require(model.errors)
        let totals = try #require(model.channelTotals)
        #expect(!model.remarks.isEmpty)
        for channel in 0..<15 {
            #expect(abs(totals[channel] - truth[channel]) < 5 * errors[channel] + 1e-3 * truth.reduce(0, +))
        }
    }
}
