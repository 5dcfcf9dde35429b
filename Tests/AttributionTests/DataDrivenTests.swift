import Attribution
import Statistics
import Testing

@Suite struct DataDrivenTests {
    @Test func itCreditsTheChannelThatRaisesTheChance() {
        // Channel 0 doubles the chance; channel 1 is everywhere and does nothing.
        var random = RandomStream(seed: 31, lane: 8)
        let fitter = DataDrivenFitter(halfLife: 7 * 86_400_000)
        for index in 0..<20_000 {
            let has = random.happens(0.5)
            let converts = random.happens(has ? 0.2 : 0.05)
            var touches = [Touch(session: "a\(index)", channel: 1, time: 0)]
            if has { touches.append(Touch(session: "b\(index)", channel: 0, time: 3_600_000)) }
            fitter.add(touches, conversion: 1, conversions: converts ? 1 : 0, nulls: converts ? 0 : 1)
        }
        let model = fitter.finish(channels: 2)
        let touches = [Touch(session: "x", channel: 1, time: 0), Touch(session: "y", channel: 0, time: 3_600_000)]
        var weights: [Double] = []
        model.weights(of: touches, conversion: 1, into: &weights)
        #expect(weights[1] > 5 * weights[0])
        let chance = (model as? DataDrivenModel)?.chance(of: touches) ?? 0
        #expect(abs(chance - 0.2) < 0.02)
    }

    /// A session's weight is how much the chance falls without it, also in a journey too long to be read once a session.
    @Test func aWeightIsWhatTheChanceFallsBy() {
        var random = RandomStream(seed: 5, lane: 42)
        let model = DataDrivenModel(
            intercept: -2, coefficients: (0..<8).map { _ in random.uniform() * 2 - 0.5 }, halfLife: 3_600_000,
            remarks: [])
        for count in [2, 3, 7, 40, 60_000] {
            let touches = (0..<count).map {
                Touch(session: "s\($0)", channel: Int32(random.below(4)), time: Int64($0) * 600_000)
            }
            var weights: [Double] = []
            model.weights(of: touches, conversion: 0, into: &weights)
            #expect(weights.count == count)
            let whole = model.chance(of: touches)
            for index in touches.indices.dropLast().suffix(6) {
                var rest = touches
                rest.remove(at: index)
                #expect(abs(weights[index] - max(0, whole - model.chance(of: rest))) < 1e-9, "\(count) \(index)")
            }
        }
    }

    @Test func withoutLostJourneysItSaysSoAndDividesEqually() {
        let fitter = DataDrivenFitter(halfLife: 1_000)
        let touches = [Touch(session: "x", channel: 0, time: 0), Touch(session: "y", channel: 1, time: 1)]
        fitter.add(touches, conversion: 2, conversions: 3, nulls: 0)
        let model = fitter.finish(channels: 2)
        #expect(model.remarks.count == 1)
        var weights: [Double] = []
        model.weights(of: touches, conversion: 2, into: &weights)
        var units: [Int64] = []
        Credit.divide(weights, into: &units)
        #expect(units.reduce(0, +) == Credit.unit)
    }
}
