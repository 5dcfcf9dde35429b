import Base

/// The first sixteen bytes of a name and its length: what decides almost every comparison.
struct NamePrefix: BitwiseCopyable, Equatable {
    static let width = 16

    var low: UInt64 = 0
    var high: UInt64 = 0
    var count = 0

    init() {}

    @inline(__always)
    init(_ name: UnsafeRawBufferPointer) {
        count = name.count
        guard let base = name.baseAddress, count > 0 else { return }
        low = Self.word(base, min(count, 8))
        if count > 8 { high = Self.word(base + 8, min(count - 8, 8)) }
    }

    /// - Parameters:
    ///   - low: the first eight bytes, `high` the next eight; zeros past the name's end.
    ///   - count: at most ``width``.
    @inline(__always)
    init(low: UInt64, high: UInt64, count: Int) {
        (self.low, self.high, self.count) = (low, high, count)
    }

    @inline(__always)
    private static func word(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
        count == 8 ? StableHash.word(base, 0) : StableHash.shortTail(base, count)
    }

    @inline(__always)
    var hash: Int {
        let mixed = (low ^ UInt64(truncatingIfNeeded: count)) &* 0x9E37_79B9_7F4A_7C15 ^ high &* 0xC2B2_AE3D_27D4_EB4F
        return Int(truncatingIfNeeded: ((mixed ^ (mixed &>> 29)) &* 0xBF58_476D_1CE4_E5B9) &>> 33)
    }
}
