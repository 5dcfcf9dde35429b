import Attribution
import Statistics
import Testing

@Suite struct ModelLawTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func everyModelGivesExactlyOneUnitAConversion(seed: UInt64) {
        let world = RandomWorld(seed: seed)
        let journeys = world.journeys().all
        for (kind, model) in everyModel(journeys, world.channels) {
            var weights: [Double] = []
            var units: [Int64] = []
            for journey in journeys {
                guard let conversion = journey.conversion else { continue }
                model.weights(of: journey.touches, conversion: conversion.time, into: &weights)
                #expect(weights.allSatisfy { $0 >= 0 && $0.isFinite }, "\(kind) seed \(seed)")
                Credit.divide(weights, into: &units)
                #expect(units.count == journey.touches.count)
                #expect(units.reduce(0, +) == Credit.unit, "\(kind) seed \(seed)")
                // Also in the doubles that a database holds, in whatever order it adds them.
                #expect(units.map(Credit.value).reduce(0, +) == 1)
                #expect(units.reversed().map(Credit.value).reduce(0, +) == 1)
            }
        }
    }

    @Test(arguments: [5, 6] as [UInt64])
    func theOrderOfInputChangesNothing(seed: UInt64) {
        let world = RandomWorld(seed: seed)
        var shuffled = world
        var random = RandomStream(seed: seed, lane: 2)
        for user in shuffled.sessions.indices {
            for index in stride(from: shuffled.sessions[user].count - 1, to: 0, by: -1) {
                shuffled.sessions[user].swapAt(index, random.below(index + 1))
            }
            shuffled.conversions[user].reverse()
        }
        let (a, b) = (world.journeys(), shuffled.journeys())
        #expect(a.counts == b.counts)
        // Not the touches themselves: a missing uplift is NaN, which equals nothing.
        #expect(a.all.map { $0.touches.map(\.session) } == b.all.map { $0.touches.map(\.session) })
        // The models that learn see the journeys in another order.
        for ((kind, one), (_, other)) in zip(
            everyModel(a.all, world.channels), everyModel(b.all.reversed(), world.channels))
        {
            var (weights, others): ([Double], [Double]) = ([], [])
            for journey in a.all.prefix(100) {
                one.weights(of: journey.touches, conversion: 0, into: &weights)
                other.weights(of: journey.touches, conversion: 0, into: &others)
                for (w, o) in zip(weights, others) { #expect(abs(w - o) < 1e-9, "\(kind) seed \(seed)") }
            }
        }
    }

    @Test func revenueAndCreditOfTheReportAreThoseOfTheConversionsWithAJourney() {
        let world = RandomWorld(seed: 7)
        let (journeys, counts) = world.journeys()
        let all = world.conversions.joined().reduce(Money.zero) { $0 + $1.revenue }
        for (kind, model) in everyModel(journeys, world.channels) {
            var report = ChannelReport()
            var weights: [Double] = []
            var units: [Int64] = []
            for journey in journeys.shuffled() {
                guard let conversion = journey.conversion else { continue }
                model.weights(of: journey.touches, conversion: conversion.time, into: &weights)
                Credit.divide(weights, into: &units)
                for (touch, share) in zip(journey.touches, units) {
                    report.add(
                        channel: world.channels[touch.channel], day: touch.day, units: share,
                        revenue: conversion.revenue)
                }
            }
            #expect(report.total.creditUnits == Int128(counts.journeys) * Int128(Credit.unit), "\(kind)")
            let expected = Int128((all - counts.revenueWithoutJourney).micros) * Int128(Credit.unit)
            #expect(report.total.revenueUnits == expected, "\(kind)")
        }
    }

    @Test func rules() {
        func touches(_ channels: [Int32], hours: [Int64]? = nil) -> [Touch] {
            channels.enumerated().map { index, channel in
                Touch(session: "\(index)", channel: channel, time: (hours?[index] ?? Int64(index)) * 3_600_000)
            }
        }
        func credit(_ model: any CreditModel, _ touches: [Touch]) -> [Double] {
            var weights: [Double] = []
            var units: [Int64] = []
            model.weights(of: touches, conversion: touches.last!.time + 1, into: &weights)
            Credit.divide(weights, into: &units)
            return units.map { (Credit.value($0) * 1e6).rounded() / 1e6 }
        }
        let four = touches([0, 1, 2, 3])
        #expect(credit(FirstTouch(), four) == [1, 0, 0, 0])
        #expect(credit(LastTouch(), four) == [0, 0, 0, 1])
        #expect(credit(LastTouch(direct: [3, 2]), four) == [0, 1, 0, 0])
        #expect(credit(LastTouch(direct: [0, 1, 2, 3]), four) == [0, 0, 0, 1])
        #expect(credit(LinearModel(), four) == [0.25, 0.25, 0.25, 0.25])
        #expect(credit(PositionModel.u, four) == [0.4, 0.1, 0.1, 0.4])
        #expect(credit(PositionModel.u, touches([0, 1])) == [0.5, 0.5])
        #expect(credit(PositionModel.w, touches([0, 1, 2, 3, 4])) == [0.3, 0.05, 0.3, 0.05, 0.3])
        #expect(credit(PositionModel.w, touches([0])) == [1])
        let decay = TimeDecay(halfLife: 24 * 3_600_000)
        #expect(credit(decay, touches([0, 1], hours: [0, 24])) == [0.333333, 0.666667])
        // A journey that is all zeros in single halves still divides.
        #expect(credit(decay, touches([0, 1], hours: [0, 24 * 5_000])) == [0, 1])
    }
}
