import Attribution
import Statistics
import Testing

@Suite struct MarkovTests {
    private func fit(_ paths: [(path: [Int32], conversions: Double, nulls: Double)], order: Int, channels: Int)
        -> MarkovModel
    {
        let fitter = MarkovFitter(order: order)
        for item in paths {
            item.path.withUnsafeBufferPointer {
                fitter.add($0, conversions: item.conversions, nulls: item.nulls)
            }
        }
        // The only model that the fitter makes.
        return fitter.finish(channels: channels) as! MarkovModel
    }

    /// The chance to convert by walking the graph's distribution until nothing is left.
    private func walk(
        _ paths: [(path: [Int32], conversions: Double, nulls: Double)], order: Int, without removed: Int32?
    ) -> Double {
        struct Exit { var to: [[Int32]: Double] = [:], converts = 0.0, all = 0.0 }
        var graph: [[Int32]: Exit] = [:]
        for item in paths {
            var state: [Int32] = []
            let weight = item.conversions + item.nulls
            for channel in item.path {
                let next = Array((state + [channel]).suffix(order))
                graph[state, default: Exit()].to[next, default: 0] += weight
                graph[state, default: Exit()].all += weight
                state = next
            }
            graph[state, default: Exit()].converts += item.conversions
            graph[state, default: Exit()].all += weight
        }
        var here: [[Int32]: Double] = [[]: 1]
        var converted = 0.0
        for _ in 0..<20_000 {
            var next: [[Int32]: Double] = [:]
            for (state, chance) in here {
                guard let exit = graph[state], exit.all > 0 else { continue }
                converted += chance * exit.converts / exit.all
                for (to, count) in exit.to where to.last != removed {
                    next[to, default: 0] += chance * count / exit.all
                }
            }
            here = next
            if here.values.reduce(0, +) < 1e-16 { break }
        }
        return converted
    }

    @Test(arguments: [1, 2, 3, 4])
    func removalEffectsAreThoseOfWalks(order: Int) {
        var random = RandomStream(seed: UInt64(order), lane: 5)
        let channels = 11
        var paths: [(path: [Int32], conversions: Double, nulls: Double)] = []
        for _ in 0..<60 {
            let path = (0..<(1 + random.below(7))).map { _ in Int32(random.below(channels)) }
            paths.append((path, Double(random.below(9)), Double(random.below(30))))
        }
        let model = fit(paths, order: order, channels: channels)
        let all = walk(paths, order: order, without: nil)
        #expect(abs(model.probability - all) < 1e-10)
        for channel in 0..<Int32(channels) {
            let effect = 1 - walk(paths, order: order, without: channel) / all
            #expect(abs(model.removalEffects[Int(channel)] - effect) < 1e-9, "channel \(channel)")
        }
    }

    /// More states than the square of counts takes, met while it is in use.
    @Test func manyChannelsAreCountedAsFewAre() {
        let spokes: Int32 = 3_000
        let model = fit((1...spokes).map { ([$0, 0], 1, 0) } + [([0], 0, 1_000)], order: 1, channels: Int(spokes) + 1)
        // Each spoke leads to the hub, from which 3,000 of 4,000 convert; 1,000 begin at the hub.
        #expect(model.transitions == 2 * Int(spokes) + 1)
        #expect(abs(model.probability - 0.75) < 1e-12)
        #expect(abs(model.removalEffects[0] - 1) < 1e-12)
        #expect(model.removalEffects[1...].allSatisfy { abs($0 - 1.0 / 4_000) < 1e-12 })
    }

    @Test func aKnownGraph() {
        // start → a → b → conversion, start → a → null, start → b → null.
        let model = fit([([0, 1], 1, 0), ([0], 0, 1), ([1], 0, 1)], order: 1, channels: 2)
        #expect(abs(model.probability - 1.0 / 3) < 1e-12)
        // Without a: start → b (1/3) → conversion (1/2) = 1/6. Without b: nothing.
        #expect(abs(model.removalEffects[0] - 0.5) < 1e-12)
        #expect(abs(model.removalEffects[1] - 1) < 1e-12)
        #expect(abs(model.channelTotals![0] - 1.0 / 3) < 1e-12)
    }

    @Test func aJourneyIsDividedByEffectsAndWithinAChannelEqually() {
        let model = fit([([0, 1], 1, 0), ([0], 0, 1), ([1], 0, 1)], order: 1, channels: 2)
        let touches = [0, 1, 0].enumerated().map { Touch(session: "\($0)", channel: Int32($1), time: 0) }
        var weights: [Double] = []
        model.weights(of: touches, conversion: 1, into: &weights)
        #expect(zip(weights, [0.25, 1, 0.25]).allSatisfy { abs($0 - $1) < 1e-12 })
    }

    @Test func withoutConversionsEverythingIsEqual() {
        let model = fit([([0, 1], 0, 5)], order: 2, channels: 2)
        #expect(model.removalEffects == [0, 0])
        #expect(model.channelTotals! == [0, 0])
    }
}
