import Base

/// Date and time of RFC 3339 with a zone, to the millisecond.
public enum RFC3339 {
    /// Milliseconds since 1970 UTC, or nil for anything but a valid date and time with a zone.
    ///
    /// Digits past the milliseconds are cut; `T` and `Z` may be lower case or a space stand for `T`; a leap second (`:60`)
    /// is the last millisecond of its minute, since Unix time has no room for it.
    @inlinable @inline(__always)
    public static func parse(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard let base = text.baseAddress, text.count >= 20 else { return nil }
        // 2026-11-21T10:00:00 as three words that overlap: all nineteen bytes lie within the twenty.
        let date = digits(StableHash.word(base, 0), like: 0x2D30_302D_3030_3030)  // "0000-00-", lowest byte first
        let middle = StableHash.word(base, 8)
        let separator = middle &>> 16 & 0xFF
        guard separator | 0x20 == 0x74 || separator == 0x20 else { return nil }
        let clock = digits(middle & ~0xFF_0000 | 0x54_0000, like: 0x3030_3A30_3054_3030)  // "00T00:00"
        let end = digits(StableHash.word(base, 11), like: 0x3030_3A30_303A_3030)  // "00:00:00"
        guard let date, let clock, let end else { return nil }
        let year = pair(date, 0) &* 100 &+ pair(date, 2), month = pair(date, 5), day = pair(clock, 0)
        let hour = pair(clock, 3), minute = pair(clock, 6)
        var second = pair(end, 6)
        guard month >= 1, month <= 12, day >= 1, day <= daysIn(month, year), hour < 24, minute < 60, second <= 60
        else { return nil }
        var position = 19
        guard var milliseconds = fraction(text, &position), let offset = zone(text, position) else { return nil }
        if second == 60 {
            second = 59
            milliseconds = 999
        }
        let minutes = (days(year, month, day) &* 24 &+ hour) &* 60 &+ minute &- offset
        return Int64((minutes &* 60 &+ second) &* 1_000 &+ milliseconds)
    }

    /// The digits of eight bytes, each a byte of its value, when every byte is a digit where the pattern has a 0 and the
    /// pattern's own character elsewhere.
    @inlinable @inline(__always)
    public static func digits(_ word: UInt64, like pattern: UInt64) -> UInt64? {
        // A digit becomes 0...9; the pattern's other characters become 0.
        let value = word ^ pattern
        let isSeparator = (pattern ^ 0x3030_3030_3030_3030)
        // Per byte without carries: the low nibbles plus 6 reach 16 for what is not a digit; the high nibbles must be 0.
        let tooLarge = ((value & 0x0F0F_0F0F_0F0F_0F0F) &+ 0x0606_0606_0606_0606 | value) & 0xF0F0_F0F0_F0F0_F0F0
        // Bytes where the pattern is no 0 must be equal to it.
        let spread = isSeparator | isSeparator &>> 1 | isSeparator &>> 2 | isSeparator &>> 3 | isSeparator &>> 4
        let flags = (spread & 0x0101_0101_0101_0101) &* 0xFF
        return tooLarge | value & flags == 0 ? value : nil
    }

    /// The number of two digits that begin at a byte.
    @inlinable @inline(__always)
    public static func pair(_ digits: UInt64, _ byte: UInt64) -> Int {
        let two = digits &>> (8 &* byte)
        return Int(truncatingIfNeeded: (two & 0xFF) &* 10 &+ (two &>> 8 & 0xFF))
    }

    /// The optional fraction in milliseconds; a point needs a digit.
    @inlinable @inline(__always)
    public static func fraction(_ text: UnsafeRawBufferPointer, _ position: inout Int) -> Int? {
        guard text[position] == 0x2E else { return 0 }
        position &+= 1
        let start = position
        if let milliseconds = threeDigits(text, position) {
            position &+= 3
            return milliseconds
        }
        var value = 0, unit = 100
        while position < text.count, case let digit = text[position] &- 0x30, digit <= 9 {
            value &+= Int(digit) &* unit
            unit /= 10
            position &+= 1
        }
        return position > start ? value : nil
    }

    /// Exactly three digits, as almost every producer writes them; nil for any other count.
    @inlinable @inline(__always)
    public static func threeDigits(_ text: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        guard start &+ 3 < text.count else { return nil }
        let a = text[start] &- 0x30, b = text[start &+ 1] &- 0x30, c = text[start &+ 2] &- 0x30
        guard a <= 9, b <= 9, c <= 9, text[start &+ 3] &- 0x30 > 9 else { return nil }
        return Int(a) &* 100 &+ Int(b) &* 10 &+ Int(c)
    }

    /// The zone's offset in minutes; it must end the text.
    @inlinable @inline(__always)
    public static func zone(_ text: UnsafeRawBufferPointer, _ position: Int) -> Int? {
        guard position < text.count else { return nil }
        if text[position] | 0x20 == 0x7A { return position &+ 1 == text.count ? 0 : nil }
        return numericZone(text, position)
    }

    public static func numericZone(_ text: UnsafeRawBufferPointer, _ position: Int) -> Int? {
        let sign = text[position]
        guard sign == 0x2B || sign == 0x2D, position + 6 == text.count, text[position + 3] == 0x3A,
            let hours = twoDigits(text, position + 1), let minutes = twoDigits(text, position + 4), hours < 24,
            minutes < 60
        else { return nil }
        return (sign == 0x2B ? 1 : -1) * (hours * 60 + minutes)
    }

    private static func twoDigits(_ text: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        let tens = text[start] &- 0x30, ones = text[start + 1] &- 0x30
        return tens <= 9 && ones <= 9 ? Int(tens) * 10 + Int(ones) : nil
    }

    @inlinable @inline(__always)
    public static func daysIn(_ month: Int, _ year: Int) -> Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        // 30 and 31 alternate, with the phase turned over after July.
        return 30 &+ ((month &+ month &>> 3) & 1)
    }

    /// Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant, days_from_civil); March is the first month, so
    /// that the leap day is the last of its year. Years are 0 to 9999.
    @inlinable @inline(__always)
    public static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // 400 years later, so that nothing is negative; 146,097 days are subtracted again.
        let shifted = UInt32(truncatingIfNeeded: (month > 2 ? year : year &- 1) &+ 400)
        let monthFromMarch = UInt32(truncatingIfNeeded: month > 2 ? month &- 3 : month &+ 9)
        let dayOfYear = (153 &* monthFromMarch &+ 2) / 5
        let leapDays = shifted / 4 &- shifted / 100 &+ shifted / 400
        return Int(shifted &* 365 &+ leapDays &+ dayOfYear) &+ day &- 1 &- 719_468 &- 146_097
    }
}
