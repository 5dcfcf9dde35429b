/// Date and time of RFC 3339 with a zone, to the millisecond.
enum RFC3339 {
    /// Milliseconds since 1970 UTC, or nil for anything but a valid date and time with a zone.
    ///
    /// Digits past the milliseconds are cut; `T` and `Z` may be lower case or a space stand for `T`; a leap second (`:60`)
    /// is the last millisecond of its minute, since Unix time has no room for it.
    static func parse(_ scanner: borrowing JSONScanner, _ text: JSONScanner.Text) -> Int64? {
        let start = text.start
        guard text.end - start >= 20, text.end - start <= 64 else { return nil }
        guard let year = digits(scanner, start, 4), scanner.byte(start + 4) == 0x2D,
            let month = digits(scanner, start + 5, 2), scanner.byte(start + 7) == 0x2D,
            let day = digits(scanner, start + 8, 2),
            let hour = digits(scanner, start + 11, 2), scanner.byte(start + 13) == 0x3A,
            let minute = digits(scanner, start + 14, 2), scanner.byte(start + 16) == 0x3A,
            let second = digits(scanner, start + 17, 2)
        else { return nil }
        let separator = scanner.byte(start + 10)
        guard separator | 0x20 == 0x74 || separator == 0x20 else { return nil }
        guard (1...12).contains(month), day >= 1, day <= daysIn(month, year), hour < 24, minute < 60, second <= 60
        else {
            return nil
        }
        var position = start + 19
        guard var milliseconds = fraction(scanner, &position),
            let offset = zone(scanner, position, text.end)
        else { return nil }
        var wholeSecond = second
        if second == 60 {
            wholeSecond = 59
            milliseconds = 999
        }
        let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + wholeSecond
        return Int64(seconds * 1_000 + milliseconds)
    }

    /// A decimal number of exactly `count` digits.
    @inline(__always)
    private static func digits(_ scanner: borrowing JSONScanner, _ start: Int, _ count: Int) -> Int? {
        var value = 0
        for i in start..<start + count {
            let digit = scanner.byte(i) &- 0x30
            guard digit <= 9 else { return nil }
            value = value &* 10 &+ Int(digit)
        }
        return value
    }

    /// The optional fraction in milliseconds; a point needs a digit.
    private static func fraction(_ scanner: borrowing JSONScanner, _ position: inout Int) -> Int? {
        guard scanner.byte(position) == 0x2E else { return 0 }
        position += 1
        var value = 0, unit = 100, count = 0
        while case let digit = scanner.byte(position) &- 0x30, digit <= 9 {
            value += Int(digit) * unit
            unit /= 10
            count += 1
            position += 1
        }
        return count > 0 ? value : nil
    }

    /// The zone's offset in minutes; it must end the text.
    private static func zone(_ scanner: borrowing JSONScanner, _ position: Int, _ end: Int) -> Int? {
        let sign = scanner.byte(position)
        if sign | 0x20 == 0x7A { return position + 1 == end ? 0 : nil }
        guard sign == 0x2B || sign == 0x2D, position + 6 == end, scanner.byte(position + 3) == 0x3A,
            let hours = digits(scanner, position + 1, 2), let minutes = digits(scanner, position + 4, 2), hours < 24,
            minutes < 60
        else { return nil }
        return (sign == 0x2B ? 1 : -1) * (hours * 60 + minutes)
    }

    private static func daysIn(_ month: Int, _ year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 in the proleptic Gregorian calendar; March is the first month, so that the leap day is the
    /// last of its year.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let monthFromMarch = (month + 9) % 12
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let century = shifted >= 0 ? shifted / 100 : (shifted - 99) / 100
        let leapDays = shifted / 4 - century + (shifted >= 0 ? shifted / 400 : (shifted - 399) / 400)
        return shifted * 365 + leapDays + dayOfYear - 719_468
    }
}
