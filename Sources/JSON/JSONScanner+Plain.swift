import Base
import CNumeric

/// The values that most messages hold, taken with a handful of instructions: short texts of plain ASCII, short numbers,
/// truth values. Each of these functions takes a value that it knows to be valid or takes nothing; whatever it does not
/// know, be it rare or wrong, is for the general functions, which also find the fault.
extension JSONScanner {
    /// A text without an escape, its bytes as they stand in the message.
    public struct PlainText {
        public let base: UnsafeRawPointer
        public let count: Int

        @inlinable
        init(base: UnsafeRawPointer, count: Int) {
            self.base = base
            self.count = count
        }

        @inlinable @inline(__always)
        public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
    }

    /// The string that begins at the current byte, when it is plain ASCII and blocks of sixteen bytes reach its end before
    /// the message's. Takes nothing: ``take(_:)`` does.
    @inlinable @inline(__always)
    public func plainText() -> PlainText? {
        guard position &+ 17 <= count, base[position] == 0x22 else { return nil }
        let start = base + (position &+ 1)
        let stops = cnumeric_text_stops(start)
        // Almost always the text ends in its first sixteen bytes.
        let length = stops != 0 ? stops.trailingZeroBitCount : plainLength()
        guard length >= 0, start[length] == 0x22 else { return nil }
        return PlainText(base: start, count: length)
    }

    /// How many bytes of the string at the current byte come before the first that is not plain, of which the first sixteen
    /// are known to be; −1 if none is found.
    @inline(never)
    public func plainLength() -> Int {
        var next = position &+ 17
        while next &+ 16 <= count {
            let stops = cnumeric_text_stops(base + next)
            if stops != 0 { return next &+ stops.trailingZeroBitCount &- position &- 1 }
            next &+= 16
        }
        return -1
    }

    /// Steps over a text of ``plainText()`` and its quotes.
    @inlinable @inline(__always)
    public mutating func take(_ text: PlainText) { position &+= text.count &+ 2 }

    /// A truth value as 0 or 1, if six bytes are left. Which of the two it is cannot be foreseen, so it decides no branch.
    @inlinable @inline(__always)
    public mutating func takeTruth() -> UInt64? {
        guard position &+ 6 <= count else { return nil }
        let word = UInt32(littleEndian: UnsafeRawPointer(base + position).loadUnaligned(as: UInt32.self))
        let isTrue: UInt8 = word == Literal.true.rawValue ? 1 : 0
        let isFalse: UInt8 = word == Literal.false.rawValue ? 1 : 0
        // The fifth byte counts for `false` only.
        let isWrong = (base[position &+ 4] ^ 0x65) & (0 &- isFalse)
        guard isTrue | isFalse != 0, isWrong == 0 else { return nil }
        position &+= 5 &- Int(isTrue)
        return UInt64(isTrue)
    }

    /// A number without sign and exponent, of at most seven characters and followed by a comma or a brace.
    @inlinable @inline(__always)
    public mutating func takePlainNumber() -> Double? {
        guard position &+ 8 <= count else { return nil }
        let word = StableHash.word(base + position, 0)
        // Digits become their values. A flag for each other byte, exact up to the second one: the first is a point or what
        // ends the number, neither of which carries into the next byte.
        let values = word ^ 0x3030_3030_3030_3030
        let flags = (values &+ 0x7676_7676_7676_7676 | values) & 0x8080_8080_8080_8080
        guard flags != 0 else { return nil }
        let bits = flags.trailingZeroBitCount & ~7
        // No digit, or a zero before another digit.
        guard bits != 0, values & 0xFF != 0 || bits == 8 else { return nil }
        let stop = UInt8(truncatingIfNeeded: word &>> UInt64(bits))
        if stop == 0x2C || stop == 0x7D {
            position &+= bits &>> 3
            return Double(Int64(truncatingIfNeeded: Self.number(values, endingAt: bits)))
        }
        guard stop == 0x2E else { return nil }
        let others = flags & (flags &- 1)
        let end = others.trailingZeroBitCount & ~7
        guard others != 0, end > bits &+ 8 else { return nil }
        let last = UInt8(truncatingIfNeeded: word &>> UInt64(end))
        guard last == 0x2C || last == 0x7D else { return nil }
        // The digits before the point move up into its place.
        let point: UInt64 = 1 &<< UInt64(bits)
        let digits = (values & (point &- 1)) &<< 8 | values & (0 &- point &<< 8)
        position &+= end &>> 3
        let places = end &>> 3 &- bits &>> 3 &- 1
        return cnumeric_scale(Self.number(digits, endingAt: end), Int64(0 &- places))
    }

    /// A number of at most fifteen digits without an exponent.
    @inlinable @inline(__always)
    public mutating func takeNumber() -> Double? {
        if let number = takePlainNumber() { return number }
        let (number, end) = shortNumber()
        guard end > 0 else { return nil }
        position = end
        return number
    }

    /// What ``scanShortNumber()`` takes, and where it ends; 0 when it takes nothing.
    @inline(never)
    public func shortNumber() -> (Double, end: Int) {
        var after = self
        guard let number = after.scanShortNumber() else { return (0, 0) }
        return (number, after.position)
    }

    /// The number of the digits in the low `bits` of a word, the first digit lowest; at least one digit, eight at most.
    @inlinable @inline(__always)
    public static func number(_ digits: UInt64, endingAt bits: Int) -> UInt64 {
        // Zeros in front; then neighbours are joined: to numbers of two digits, of four, of eight.
        let ones = digits &<< UInt64(64 &- bits)
        let twos = (ones &* 10 &+ ones &>> 8) & 0x00FF_00FF_00FF_00FF
        let fours = (twos &* 100 &+ twos &>> 16) & 0x0000_FFFF_0000_FFFF
        return (fours &* 10_000 &+ fours &>> 32) & 0xFFFF_FFFF
    }
}

extension JSONScanner.PlainText {
    /// The hash of the text's bytes.
    @inlinable @inline(__always)
    public var hash: UInt64 {
        guard count < 16 else { return StableHash.hash(bytes) }
        let (low, high) = words
        let seed = 0xA076_1D64_78BD_642F ^ UInt64(truncatingIfNeeded: count)
        return count < 8
            ? StableHash.finish(seed, tail: low)
            : StableHash.finish(StableHash.fold(seed ^ low, 0xE703_7ED1_A0B4_28DB), tail: high)
    }

    /// The bytes of a text of less than sixteen as two words, zeros past its end. Sixteen bytes can be read from its
    /// beginning, since ``JSONScanner/plainText()`` did.
    @inlinable @inline(__always)
    public var words: (low: UInt64, high: UInt64) {
        let mask = (1 as UInt64) &<< UInt64(truncatingIfNeeded: count &* 8) &- 1
        let low = StableHash.word(base, 0)
        return count < 8 ? (low & mask, 0) : (low, StableHash.word(base, 8) & mask)
    }
}
