/// A span of event time in whole minutes, as a specification writes it: `5m`, `1h`, `30d`.
public struct TimeSpan: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let minutes: Int64

    public init(minutes: Int64) { self.minutes = minutes }
    public static func hours(_ n: Int64) -> TimeSpan { TimeSpan(minutes: n * 60) }
    public static func days(_ n: Int64) -> TimeSpan { TimeSpan(minutes: n * 1_440) }

    /// Reads a whole number followed by `m`, `h` or `d`; nil for anything else and for more than 100 years.
    public init?(_ text: String) {
        guard let unit = text.last, let factor = ["m": 1, "h": 60, "d": 1_440][unit] as Int64? else { return nil }
        let digits = text.dropLast()
        guard !digits.isEmpty, digits.count <= 8, digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let number = Int64(digits), number > 0, number * factor <= 100 * 366 * 1_440
        else { return nil }
        minutes = number * factor
    }

    /// The largest unit that gives a whole number.
    public var description: String {
        if minutes % 1_440 == 0 { return "\(minutes / 1_440)d" }
        if minutes % 60 == 0 { return "\(minutes / 60)h" }
        return "\(minutes)m"
    }

    public var milliseconds: Int64 { minutes * 60_000 }

    public static func < (a: TimeSpan, b: TimeSpan) -> Bool { a.minutes < b.minutes }

    /// Bucket widths that a window without `bucket` may get.
    static let niceWidths: [TimeSpan] =
        [1, 2, 5, 10, 15, 30].map { TimeSpan(minutes: $0) } + [1, 2, 3, 6, 12].map { .hours($0) }
        + [1, 2, 3, 7].map { .days($0) }

    /// The bucket of a window that states none: the largest nice width that divides the window into at least 12.
    ///
    /// Every window of whole minutes from 12 minutes up has one, since one minute is nice.
    static func defaultBucket(of window: TimeSpan) -> TimeSpan {
        niceWidths.last { window.minutes % $0.minutes == 0 && window.minutes / $0.minutes >= 12 }
            ?? TimeSpan(minutes: 1)
    }
}
