import Base

/// The date that times had last, so that the next time of the same day needs its clock read only.
///
/// Event times come about in order: almost every one lies on the day of the one before.
public struct RecentDate: BitwiseCopyable {
    /// The bytes `2026-11-` and `21T`; zeros, which no time holds, before the first one.
    public var date: UInt64 = 0
    public var day: UInt64 = 0
    /// The day's beginning in UTC, milliseconds since 1970.
    public var midnight: Int64 = 0

    public init() {}

    /// The time that stands as `2026-11-21T10:00:00.123Z` or `2026-11-21T10:00:00Z` before a quote, if it is of that date.
    /// - Parameters:
    ///   - text: its first byte; 25 can be read.
    ///   - length: becomes the text's length.
    @inlinable @inline(__always)
    public func time(_ text: UnsafeRawPointer, length: inout Int) -> Int64? {
        let middle = StableHash.word(text, 8)
        guard StableHash.word(text, 0) == date, middle & 0xFF_FFFF == day else { return nil }
        var end = StableHash.word(text, 16)
        length = 24
        if end &>> 24 & 0xFFFF == 0x225A {
            // `:00Z"` becomes `:00.000Z`.
            end = end & 0xFF_FFFF | 0x5A30_3030_2E00_0000
            length = 20
        } else {
            guard text.load(fromByteOffset: 24, as: UInt8.self) == 0x22 else { return nil }
        }
        return clock(middle &>> 24 ^ 0x30_303A_3030, end ^ 0x5A30_3030_2E30_303A)
    }

    /// - Parameters:
    ///   - hours: hours and minutes as `hh:mm`, a byte a digit, 0 where another character was as it must be.
    ///   - seconds: seconds and milliseconds as `:ss.mmmZ`, likewise.
    @inlinable @inline(__always)
    public func clock(_ hours: UInt64, _ seconds: UInt64) -> Int64? {
        // A sum reaches 0x80 for what is neither a digit (0 to 9) nor, in the other places, 0.
        let faults = (hours &+ 0x7F7F_7F76_767F_7676) | hours | (seconds &+ 0x7F76_7676_7F76_767F) | seconds
        let two = hours &* 10 &+ hours &>> 8, three = seconds &* 10 &+ seconds &>> 8
        let hour = two & 0xFF, minute = two &>> 24 & 0xFF, second = three &>> 8 & 0xFF
        let milliseconds = (three &>> 32 & 0xFF) &* 10 &+ seconds &>> 48 & 0xFF
        guard faults & 0x8080_8080_8080_8080 == 0, hour < 24, minute < 60, second < 60 else { return nil }
        let clock = (hour &* 60 &+ minute) &* 60_000 &+ second &* 1_000 &+ milliseconds
        return midnight &+ Int64(truncatingIfNeeded: clock)
    }

    /// Remembers the date of a text that was read as this time, which must be 0 or later.
    public mutating func learn(_ text: UnsafeRawBufferPointer, _ time: Int64) {
        // With another zone than UTC the day begins elsewhere.
        guard text.count >= 20, text[text.count - 1] | 0x20 == 0x7A, let base = text.baseAddress else { return }
        date = StableHash.word(base, 0)
        day = StableHash.word(base, 8) & 0xFF_FFFF
        midnight = time / 86_400_000 * 86_400_000
    }
}
