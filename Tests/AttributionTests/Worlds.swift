import Attribution
import Statistics

/// Random users with sessions and conversions.
struct RandomWorld {
    var sessions: [[Touch]] = []
    var conversions: [[Conversion]] = []
    var channels = ChannelTable()

    init(seed: UInt64, users: Int = 300, channelCount: Int = 6) {
        var random = RandomStream(seed: seed, lane: 1)
        for index in 0..<channelCount { _ = channels.number(of: "channel \(index)") }
        for user in 0..<users {
            var touches: [Touch] = []
            for index in 0..<(1 + random.below(9)) {
                touches.append(
                    Touch(
                        session: "s\(user)-\(index)", channel: Int32(random.below(channelCount)),
                        time: Int64(random.below(400)) * 1_800_000, day: Int32(random.below(9)),
                        flags: Touch.Flags(rawValue: UInt8(random.below(8)))))
            }
            var orders: [Conversion] = []
            for index in 0..<random.below(3) {
                orders.append(
                    Conversion(
                        id: "c\(user)-\(index)", time: Int64(random.below(400)) * 1_800_000 + 7,
                        revenue: Money(Double(random.below(100_000)) / 100)!))
            }
            sessions.append(touches)
            conversions.append(orders)
        }
    }

    func journeys(_ settings: JourneySettings = JourneySettings()) -> (all: [Journey], counts: JourneyCounts) {
        var builder = JourneyBuilder(settings)
        var journeys: [Journey] = []
        for user in sessions.indices {
            var (touches, orders) = (sessions[user], conversions[user])
            builder.journeys(sessions: &touches, conversions: &orders) { journeys.append($0) }
        }
        return (journeys, builder.counts)
    }
}

/// All models, fitted to journeys.
func everyModel(_ journeys: [Journey], _ channels: ChannelTable, _ options: ModelOptions = ModelOptions()) -> [(
    kind: ModelKind, model: any CreditModel
)] {
    var channels = channels
    let models = AttributionModels(options, channels: &channels)
    return ModelKind.allCases.map { kind in
        if let rule = models.rule(kind) { return (kind, rule) }
        let fitter = models.fitter(kind)!
        for journey in journeys {
            let converted = journey.conversion != nil
            fitter.add(
                journey.touches, conversion: journey.conversion?.time, conversions: converted ? 1 : 0,
                nulls: converted ? 0 : 1)
        }
        return (kind, fitter.finish(channels: channels.count))
    }
}
