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
