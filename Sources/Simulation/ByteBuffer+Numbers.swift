import Events

extension ByteBuffer {
    /// A whole number in decimal digits.
    func append(decimal value: UInt64) {
        var rest = value
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var first = 20
            repeat {
                first -= 1
                digits[first] = UInt8(0x30 + rest % 10)
                rest /= 10
            } while rest > 0
            append(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: digits[first...])))
        }
    }

    /// Exactly two digits.
    private func append(two value: Int) {
        append(byte: UInt8(0x30 + value / 10))
        append(byte: UInt8(0x30 + value % 10))
    }

    /// An amount in hundredths: `12.50`.
    func append(cents: UInt64) {
        append(decimal: cents / 100)
        append(byte: 0x2E)
        append(two: Int(cents % 100))
    }

    /// `2026-11-21T10:00:00.123Z` (RFC 3339) of milliseconds since 1970, for the years 1970 to 9999.
    ///
    /// Days to date as in Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    func append(rfc3339 milliseconds: Int64) {
        let (days, inDay) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
        let shifted = Int(days) + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + 400 * era + (month <= 2 ? 1 : 0)
        let second = Int(inDay) / 1000
        append(two: year / 100)
        append(two: year % 100)
        append(byte: 0x2D)
        append(two: month)
        append(byte: 0x2D)
        append(two: day)
        append(byte: 0x54)
        append(two: second / 3600)
        append(byte: 0x3A)
        append(two: second / 60 % 60)
        append(byte: 0x3A)
        append(two: second % 60)
        append(byte: 0x2E)
        let millisecond = Int(inDay) % 1000
        append(byte: UInt8(0x30 + millisecond / 100))
        append(two: millisecond % 100)
        append(byte: 0x5A)
    }
}
