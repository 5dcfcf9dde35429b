import Attribution
import Testing

@Suite struct JourneyTests {
    private func journeys(_ times: [Int64], _ conversions: [Int64], _ settings: JourneySettings = JourneySettings())
        -> (
            [([Int64], Int64?)], JourneyCounts
        )
    {
        var builder = JourneyBuilder(settings)
        var sessions = times.enumerated().map { Touch(session: "s\($0)", channel: 0, time: $1) }
        var orders = conversions.enumerated().map { Conversion(id: "c\($0)", time: $1) }
        var result: [([Int64], Int64?)] = []
        builder.journeys(sessions: &sessions, conversions: &orders) {
            result.append(($0.touches.map(\.time), $0.conversion?.time))
        }
        return (result, builder.counts)
    }

    private func same(_ a: [([Int64], Int64?)], _ b: [([Int64], Int64?)]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { $0.0 == $1.0 && $0.1 == $1.1 }
    }

    @Test func sessionsStrictlyBeforeTheConversionAndWithinTheLookback() {
        var settings = JourneySettings()
        settings.lookback = 100
        #expect(
            same(journeys([10, 50, 109, 110, 120], [110], settings).0, [([10, 50, 109], 110), ([110, 120], nil)]))
        #expect(same(journeys([10, 50, 109], [111], settings).0, [([10], nil), ([50, 109], 111)]))
    }

    @Test func severalConversionsOfOneUser() {
        #expect(same(journeys([1, 2, 5], [3, 6]).0, [([1, 2], 3), ([1, 2, 5], 6)]))
        var settings = JourneySettings()
        settings.cutsAtConversion = true
        #expect(same(journeys([1, 2, 5], [3, 6], settings).0, [([1, 2], 3), ([5], 6)]))
        let (result, counts) = journeys([1, 2], [3, 6], settings)
        #expect(same(result, [([1, 2], 3)]))
        #expect(counts.withoutJourney == 1)
    }

    @Test func aConversionBeforeAnySessionHasNoJourney() {
        let (result, counts) = journeys([10], [5, 10])
        #expect(same(result, [([10], nil)]))
        #expect(counts.withoutJourney == 2)
    }

    @Test func duplicatesCountOnce() {
        var builder = JourneyBuilder(JourneySettings())
        var sessions = [
            Touch(session: "a", channel: 1, time: 5), Touch(session: "a", channel: 0, time: 3),
            Touch(session: "b", channel: 2, time: 4),
        ]
        var orders = [Conversion(id: "c", time: 9), Conversion(id: "c", time: 8)]
        var result: [Journey] = []
        builder.journeys(sessions: &sessions, conversions: &orders) { result.append($0) }
        #expect(result.map { $0.touches.map(\.session) } == [["a", "b"]])
        #expect(result[0].touches[0].channel == 0)
        #expect(builder.counts.duplicateSessions == 1)
        #expect(builder.counts.duplicateConversions == 1)
        // The same conversion of another user.
        var others = [Touch(session: "d", channel: 0, time: 1)]
        var again = [Conversion(id: "c", time: 9)]
        builder.journeys(sessions: &others, conversions: &again) { result.append($0) }
        #expect(builder.counts.duplicateConversions == 2)
    }

    @Test func longSilenceSplitsJourneysThatLedNowhere() {
        var settings = JourneySettings()
        settings.lookback = 10
        #expect(same(journeys([1, 5, 16, 30], [], settings).0, [([1, 5], nil), ([16], nil), ([30], nil)]))
    }
}
