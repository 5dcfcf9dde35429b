import Attribution
import Base
import Foundation

/// Reads times as teams write them: with a zone, or without one in the time zone of the setting.
package struct LocalClock {
    /// What was odd about a time.
    package enum Oddity { case none, inGap, repeated }

    package struct Reading {
        /// Milliseconds since 1970, UTC.
        package var time: Int64
        /// The day in the setting's time zone.
        package var day: Int32
        package var oddity: Oddity
    }

    private let zone: TimeZone
    /// UTC needs no look-ups.
    private let isUTC: Bool
    /// Seconds east of UTC around each local day: at its first and last moment.
    private var offsets: [Int32: (Int, Int)] = [:]

    package init(_ zone: TimeZone) {
        self.zone = zone
        isUTC =
            zone.secondsFromGMT() == 0 && zone.nextDaylightSavingTimeTransition == nil
            && zone.identifier != "Europe/London"
    }

    /// - Throws: `unknown_time_zone`.
    package init(named name: String) throws(ImpactError) {
        guard let zone = TimeZone(identifier: name) else {
            throw ImpactError(
                .usage, code: "unknown_time_zone",
                "there is no time zone '\(name)': write a name as Europe/Berlin, America/New_York or UTC")
        }
        self.init(zone)
    }

    /// Reads a date and a time of day, or one text with both in either place.
    ///
    /// - Returns: nil for what is not a time.
    package mutating func read(date: String?, time: String?) -> Reading? {
        let date = date ?? ""
        let time = time ?? ""
        // A full time in one column: the date's column may be missing or hold the whole.
        var text = time
        if time.utf8.count < 10 || CivilDay.parse(time) == nil {
            text = time.isEmpty ? date : date.utf8.count > 10 ? date : date + " " + time
        }
        guard let day = CivilDay.parse(text) else { return nil }
        let rest = Array(text.utf8.dropFirst(10))
        if rest.isEmpty { return local(day: day, milliseconds: 0) }
        guard rest.count >= 6, rest[0] == 0x20 || rest[0] | 0x20 == 0x74, rest[3] == 0x3A,
            let hour = Self.two(rest, 1), let minute = Self.two(rest, 4), hour < 24, minute < 60
        else { return nil }
        var at = 6
        var second = 0
        var fraction = 0
        if at < rest.count, rest[at] == 0x3A {
            guard let value = Self.two(rest, at + 1), value <= 60 else { return nil }
            second = min(value, 59)
            at += 3
            if at < rest.count, rest[at] == 0x2E {
                at += 1
                var unit = 100
                let start = at
                while at < rest.count, rest[at] >= 0x30, rest[at] <= 0x39 {
                    fraction += Int(rest[at] - 0x30) * unit
                    unit /= 10
                    at += 1
                }
                guard at > start else { return nil }
            }
        }
        let milliseconds = ((hour * 60 + minute) * 60 + second) * 1_000 + fraction
        if at == rest.count { return local(day: day, milliseconds: milliseconds) }
        guard let offset = Self.zone(rest, at) else { return nil }
        return reading(Int64(day) * 86_400_000 + Int64(milliseconds) - Int64(offset) * 60_000)
    }

    /// A moment, with its local day.
    package mutating func reading(_ time: Int64) -> Reading {
        var seconds = 0
        if !isUTC { seconds = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time) / 1_000)) }
        let shifted = time + Int64(seconds) * 1_000
        return Reading(
            time: time, day: Int32((shifted >= 0 ? shifted : shifted - 86_399_999) / 86_400_000), oddity: .none)
    }

    /// A time on the wall clock. In the hour that a clock change leaves out it is read with the offset before the change; in
    /// the hour that comes twice it is the first.
    private mutating func local(day: Int32, milliseconds: Int) -> Reading {
        let wall = Int64(day) * 86_400_000 + Int64(milliseconds)
        if isUTC { return Reading(time: wall, day: day, oddity: .none) }
        let (before, after) = around(day)
        if before == after { return Reading(time: wall - Int64(before) * 1_000, day: day, oddity: .none) }
        func isRight(_ offset: Int) -> Bool {
            let seconds = Double(wall) / 1_000 - Double(offset)
            return zone.secondsFromGMT(for: Date(timeIntervalSince1970: seconds)) == offset
        }
        let oddity: Oddity =
            switch (isRight(before), isRight(after)) {
            case (true, true): .repeated
            case (false, false): .inGap
            default: .none
            }
        let offset = isRight(before) || oddity == .inGap ? before : after
        return Reading(time: wall - Int64(offset) * 1_000, day: day, oddity: oddity)
    }

    private mutating func around(_ day: Int32) -> (Int, Int) {
        if let known = offsets[day] { return known }
        // A day earlier and later by the longest offsets there are.
        let noon = Double(day) * 86_400 + 43_200
        let before = zone.secondsFromGMT(for: Date(timeIntervalSince1970: noon - 129_600))
        let after = zone.secondsFromGMT(for: Date(timeIntervalSince1970: noon + 129_600))
        offsets[day] = (before, after)
        return (before, after)
    }

    private static func two(_ bytes: [UInt8], _ at: Int) -> Int? {
        guard at + 1 < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39, bytes[at + 1] >= 0x30, bytes[at + 1] <= 0x39
        else { return nil }
        return Int(bytes[at] - 0x30) * 10 + Int(bytes[at + 1] - 0x30)
    }

    /// Minutes east of UTC; the zone must end the text.
    private static func zone(_ bytes: [UInt8], _ at: Int) -> Int? {
        if bytes[at] | 0x20 == 0x7A { return at + 1 == bytes.count ? 0 : nil }
        guard bytes[at] == 0x2B || bytes[at] == 0x2D, let hours = two(bytes, at + 1) else { return nil }
        var minutes = 0
        if at + 3 < bytes.count {
            let place = bytes[at + 3] == 0x3A ? at + 4 : at + 3
            guard let value = two(bytes, place), place + 2 == bytes.count else { return nil }
            minutes = value
        }
        return (bytes[at] == 0x2B ? 1 : -1) * (hours * 60 + minutes)
    }
}
