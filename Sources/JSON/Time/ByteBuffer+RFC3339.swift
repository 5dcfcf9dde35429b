import Base

extension ByteBuffer {
    /// A time as RFC 3339 in UTC with milliseconds: `2026-11-21T10:00:00.123Z`.
    /// - Parameter milliseconds: since 1970 UTC; times outside the years 0 to 9999, for which RFC 3339 has no text, are
    ///   taken to the nearest one inside.
    public func appendRFC3339(_ milliseconds: Int64) {
        let bounds: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
        let time = min(max(milliseconds, bounds.lowerBound), bounds.upperBound)
        let day = 86_400_000 as Int64
        let days = time >= 0 ? time / day : (time - day + 1) / day
        let (year, month, dayOfMonth) = Self.civil(Int(days))
        let withinDay = Int(time - days * day)
        append(year, digits: 4)
        append("-")
        append(month, digits: 2)
        append("-")
        append(dayOfMonth, digits: 2)
        append("T")
        append(withinDay / 3_600_000, digits: 2)
        append(":")
        append(withinDay / 60_000 % 60, digits: 2)
        append(":")
        append(withinDay / 1_000 % 60, digits: 2)
        append(".")
        append(withinDay % 1_000, digits: 3)
        append("Z")
    }

    private func append(_ value: Int, digits: Int) {
        let out = reserve(digits)
        var rest = value
        for i in stride(from: digits - 1, through: 0, by: -1) {
            out[i] = 0x30 | UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        advance(digits)
    }

    /// Year, month and day of a day since 1970-01-01 (Hinnant, civil_from_days).
    private static func civil(_ day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
        let year = yearOfEra + era * 400
        return month < 10 ? (year, month + 3, dayOfMonth) : (year + 1, month - 9, dayOfMonth)
    }
}
