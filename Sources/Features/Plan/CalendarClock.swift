/// Buckets of event time: bucket number = minutes since 1970 divided by the width, both whole.
///
/// The division is a multiplication by a reciprocal (Granlund and Montgomery 1994): exact here, because minutes stay
/// below 2³² and widths below 2¹⁸.
public struct CalendarClock: BitwiseCopyable, Sendable {
    /// ⌊2⁶⁴ / width⌋ + 1; 0 stands for a width of one minute.
    let reciprocal: UInt64
    /// Buckets of the longest window.
    let buckets: UInt64

    public init(bucket: TimeSpan, buckets: Int) {
        let width = UInt64(bucket.minutes)
        reciprocal = width == 1 ? 0 : UInt64.max / width + (width & (width - 1) == 0 ? 2 : 1)
        self.buckets = UInt64(buckets)
    }

    /// Whole minutes since 1970 of a time in milliseconds; a time before 1970 is minute 0.
    @inline(__always)
    public static func minute(_ time: Int64) -> UInt64 {
        time <= 0 ? 0 : min(UInt64(bitPattern: time) / 60_000, UInt64(UInt32.max))
    }

    @inline(__always)
    public func bucket(_ minute: UInt64) -> UInt64 {
        reciprocal == 0 ? minute : minute.multipliedFullWidth(by: reciprocal).high
    }
}

extension CalendarClock {
    /// Whether a bucket is in the window that ends with the current one.
    func covers(_ bucket: UInt64, _ current: UInt64) -> Bool { bucket <= current && bucket + buckets > current }
}
