/// Which sessions belong to a conversion.
package struct JourneySettings: Sendable, Equatable {
    /// Sessions older than this before the conversion are left out, milliseconds.
    package var lookback: Int64 = 90 * 86_400_000
    /// Whether a conversion ends the journeys before it: the next one then begins with the first session after it.
    package var cutsAtConversion = false

    package init() {}
}

/// What was left out or odd on the way to journeys; every class is named in the report.
package struct JourneyCounts: Sendable, Equatable {
    package var sessions = 0
    package var conversions = 0
    package var journeys = 0
    package var nullJourneys = 0
    package var withoutJourney = 0
    package var revenueWithoutJourney: Money = .zero
    package var duplicateSessions = 0
    package var duplicateConversions = 0

    package init() {}
}

/// Makes the journeys of one user at a time.
///
/// A journey holds the sessions strictly before its conversion and within the lookback. Sessions in no conversion's
/// journey make null journeys, one where no more than the lookback lies between neighbours. The result does not depend
/// on the order of what is added.
package struct JourneyBuilder: Sendable {
    package let settings: JourneySettings
    package private(set) var counts = JourneyCounts()
    /// Hashes of the conversions seen: an id counts once, whichever user has it.
    private var seen: Set<UInt64> = []

    package init(_ settings: JourneySettings) { self.settings = settings }

    /// The journeys of a user.
    ///
    /// - Parameters:
    ///   - sessions: all sessions of the user, in any order; sorted in place.
    ///   - conversions: all conversions of the user, in any order; sorted in place.
    package mutating func journeys<Failure: Error>(
        sessions: inout [Touch], conversions: inout [Conversion], _ body: (Journey) throws(Failure) -> Void
    ) throws(Failure) {
        sort(&sessions)
        conversions.sort { ($0.time, $0.id, $0.revenue) < ($1.time, $1.id, $1.revenue) }
        counts.sessions += sessions.count
        var used = 0
        var previous = Int64.min
        for conversion in conversions {
            guard seen.insert(Self.hash(conversion.id)).inserted else {
                counts.duplicateConversions += 1
                continue
            }
            counts.conversions += 1
            var oldest = conversion.time.subtractingReportingOverflow(settings.lookback).partialValue
            if settings.cutsAtConversion { oldest = max(oldest, previous) }
            previous = conversion.time
            let start = Self.firstIndex(sessions, atOrAfter: oldest)
            let end = Self.firstIndex(sessions, atOrAfter: conversion.time)
            guard start < end else {
                counts.withoutJourney += 1
                counts.revenueWithoutJourney += conversion.revenue
                continue
            }
            // What lies between two journeys led nowhere.
            if used < start { try nullJourneys(sessions[used..<start], body) }
            used = max(used, end)
            counts.journeys += 1
            try body(Journey(touches: Array(sessions[start..<end]), conversion: conversion))
        }
        if used < sessions.count { try nullJourneys(sessions[used...], body) }
    }

    private mutating func sort(_ sessions: inout [Touch]) {
        sessions.sort { ($0.time, $0.session, $0.channel) < ($1.time, $1.session, $1.channel) }
        guard sessions.count > 1 else { return }
        var ids: Set<String> = []
        ids.reserveCapacity(sessions.count)
        let before = sessions.count
        sessions.removeAll { !ids.insert($0.session).inserted }
        counts.duplicateSessions += before - sessions.count
    }

    private mutating func nullJourneys<Failure: Error>(
        _ sessions: ArraySlice<Touch>, _ body: (Journey) throws(Failure) -> Void
    ) throws(Failure) {
        var start = sessions.startIndex
        for index in sessions.indices {
            let next = index + 1
            if next < sessions.endIndex, sessions[next].time - sessions[index].time <= settings.lookback { continue }
            counts.nullJourneys += 1
            try body(Journey(touches: Array(sessions[start..<next]), conversion: nil))
            start = next
        }
    }

    private static func firstIndex(_ sessions: [Touch], atOrAfter time: Int64) -> Int {
        var low = 0
        var high = sessions.count
        while low < high {
            let middle = (low + high) / 2
            if sessions[middle].time < time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// FNV-1a over the bytes, then mixed: two of 10 million ids meet with a probability of 3 in a million.
    private static func hash(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash ^= hash >> 29
        return hash &* 0xBF58_476D_1CE4_E5B9
    }
}
