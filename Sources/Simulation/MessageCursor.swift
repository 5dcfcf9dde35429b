/// A place in reserved memory where one message is written: a value on the stack, so that each append is a store and
/// not an access to a class (17 ns, see the exclusivity checks of Swift).
///
/// Every append checks that it ends within the memory.
struct MessageCursor: ~Copyable {
    private let start: UnsafeMutablePointer<UInt8>
    private let end: UnsafeMutablePointer<UInt8>
    private var next: UnsafeMutablePointer<UInt8>

    /// Bytes written so far.
    var count: Int { next - start }

    /// - Parameter memory: `capacity` bytes that outlive the cursor.
    init(_ memory: UnsafeMutablePointer<UInt8>, capacity: Int) {
        start = memory
        next = memory
        end = memory + capacity
    }

    @inline(__always)
    private mutating func take(_ count: Int) -> UnsafeMutablePointer<UInt8> {
        precondition(end - next >= count, "the message is longer than its bound")
        defer { next += count }
        return next
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        let count = text.utf8CodeUnitCount
        take(count).update(from: text.utf8Start, count: count)
    }

    mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer {
            if let from = $0.baseAddress { take($0.count).update(from: from, count: $0.count) }
        }
    }

    @inline(__always)
    mutating func append(byte: UInt8) { take(1).pointee = byte }

    /// A whole number in decimal digits.
    mutating func append(decimal value: UInt64) {
        var digits = 1
        var bound: UInt64 = 10
        while value >= bound, digits < 19 {
            digits += 1
            bound &*= 10
        }
        if digits == 19, value >= bound { digits = 20 }
        let place = take(digits)
        var rest = value
        var i = digits
        while i > 0 {
            i -= 1
            place[i] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
            rest /= 10
        }
    }

    /// An amount in hundredths: `12.50`.
    mutating func append(cents: UInt64) {
        append(decimal: cents / 100)
        let place = take(3)
        place[0] = 0x2E
        Self.write(two: Int(cents % 100), place + 1)
    }

    /// `2026-11-21T10:00:00.123Z` (RFC 3339) of milliseconds since 1970, for the years 1970 to 9999.
    ///
    /// Days to date as in Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    mutating func append(rfc3339 milliseconds: Int64) {
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
        let millisecond = Int(inDay) % 1000
        let place = take(24)
        Self.write(two: year / 100, place)
        Self.write(two: year % 100, place + 2)
        place[4] = 0x2D
        Self.write(two: month, place + 5)
        place[7] = 0x2D
        Self.write(two: day, place + 8)
        place[10] = 0x54
        Self.write(two: second / 3600, place + 11)
        place[13] = 0x3A
        Self.write(two: second / 60 % 60, place + 14)
        place[16] = 0x3A
        Self.write(two: second % 60, place + 17)
        place[19] = 0x2E
        place[20] = UInt8(truncatingIfNeeded: 0x30 + millisecond / 100)
        Self.write(two: millisecond % 100, place + 21)
        place[23] = 0x5A
    }

    /// Exactly two digits.
    @inline(__always)
    private static func write(two value: Int, _ place: UnsafeMutablePointer<UInt8>) {
        place[0] = UInt8(truncatingIfNeeded: 0x30 + value / 10)
        place[1] = UInt8(truncatingIfNeeded: 0x30 + value % 10)
    }
}
