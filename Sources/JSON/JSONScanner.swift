import CNumeric

/// A strict scanner over the bytes of one JSON text (RFC 8259): the primitives of every reader of the product.
///
/// Every read is checked: a position past the end gives 0, which no grammar rule accepts. The scanner borrows the bytes;
/// whoever makes it keeps them alive while it is used.
public struct JSONScanner {
    /// A string's bytes between its quotes.
    public struct Text: BitwiseCopyable {
        public var start: Int
        public var end: Int
        public var hasEscape: Bool

        @inlinable
        public init(start: Int, end: Int, hasEscape: Bool) {
            self.start = start
            self.end = end
            self.hasEscape = hasEscape
        }
    }

    /// A number's bytes and, for an integer that fits, its value.
    public struct Number: BitwiseCopyable {
        public var start: Int
        public var end: Int
        /// No fraction and no exponent.
        public var isInteger: Bool
        /// Decimal digits, as far as they fit 19 places.
        public var mantissa: UInt64
        /// Digits read into the mantissa and behind it; a lone zero before the point is none.
        public var digits: Int
        public var isNegative: Bool
        /// Power of ten that the mantissa is multiplied by.
        public var exponent: Int

        @inlinable
        public init(start: Int) {
            self.start = start
            end = 0
            isInteger = true
            mantissa = 0
            digits = 0
            isNegative = false
            exponent = 0
        }
    }

    public let base: UnsafePointer<UInt8>
    public let count: Int
    public var position = 0
    public let maxDepth: Int

    public init(_ bytes: UnsafeRawBufferPointer, maxDepth: Int) {
        // An empty buffer may have no address; any will do, since nothing is read from it.
        base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped
        count = bytes.count
        self.maxDepth = min(maxDepth, 64)
    }

    /// The byte at `index`, 0 past the end.
    @inlinable @inline(__always)
    public func byte(_ index: Int) -> UInt8 { index < count ? base[index] : 0 }

    @inlinable @inline(__always)
    public var current: UInt8 { byte(position) }

    public func fault(_ code: InputErrorCode = .invalidJSON) -> InputError { InputError(code, position: position) }

    @inlinable @inline(__always)
    public mutating func skipWhitespace() {
        while true {
            let c = current
            if c > 0x20 { return }
            guard c == 0x20 || c == 0x0A || c == 0x0D || c == 0x09, position < count else { return }
            position += 1
        }
    }

    /// Steps over one byte that must come next.
    @inlinable @inline(__always)
    public mutating func expect(_ wanted: UInt8) throws(InputError) {
        guard current == wanted, position < count else { throw fault() }
        position += 1
    }

    /// Nothing but whitespace may be left.
    public mutating func expectEnd() throws(InputError) {
        skipWhitespace()
        if position < count { throw fault() }
    }

    /// A literal name, its first four letters as a little-endian word.
    public enum Literal: UInt32 {
        case null = 0x6C6C_756E
        case `true` = 0x6575_7274
        case `false` = 0x736C_6166

        @inlinable @inline(__always) public var length: Int { self == .false ? 5 : 4 }
    }

    /// A literal whose first letter is the current byte.
    @inlinable @inline(__always)
    public mutating func scan(_ literal: Literal) throws(InputError) {
        guard take(literal) else { throw fault() }
    }

    /// Steps over a literal; false, and nothing taken, when it does not stand here.
    @inlinable @inline(__always)
    public mutating func take(_ literal: Literal) -> Bool {
        guard position &+ literal.length <= count,
            UInt32(littleEndian: UnsafeRawPointer(base + position).loadUnaligned(as: UInt32.self)) == literal.rawValue,
            literal != .false || base[position &+ 4] == 0x65
        else { return false }
        position &+= literal.length
        return true
    }
}

extension JSONScanner {
    public var isAtNumber: Bool { current == 0x2D || (0x30...0x39).contains(current) }

    /// Steps into an object; false when it is empty and already closed.
    @inlinable @inline(__always)
    public mutating func enterObject() throws(InputError) -> Bool {
        try expect(0x7B)
        skipWhitespace()
        if current == 0x7D {
            position &+= 1
            return false
        }
        return true
    }

    /// A member's name and its colon; afterwards the position is at the value.
    @inlinable @inline(__always)
    public mutating func scanName() throws(InputError) -> Text {
        let name = try scanString()
        skipWhitespace()
        try expect(0x3A)
        skipWhitespace()
        return name
    }

    /// After a member's value: true when another member follows, false when the object is closed.
    @inlinable @inline(__always)
    public mutating func nextMember() throws(InputError) -> Bool {
        skipWhitespace()
        if current == 0x2C {
            position &+= 1
            skipWhitespace()
            return true
        }
        try expect(0x7D)
        return false
    }

    /// The error for a value of a type the field does not take; a text that is not JSON at all says so instead.
    @inline(never)
    public func typeFault() throws(InputError) -> InputError {
        var copy = self
        try copy.skipValue(depth: 2)
        return fault(.fieldType)
    }
}
