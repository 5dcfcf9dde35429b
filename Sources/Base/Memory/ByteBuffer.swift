import CNumeric

/// A growing arena of bytes that is reused: JSON is written into it, texts are kept in it.
///
/// Grows by doubling and never shrinks, so that a steady load allocates nothing. Not for several threads at once.
public final class ByteBuffer {
    public struct Storage {
        public var base: UnsafeMutablePointer<UInt8>
        public var count: Int
        public var capacity: Int
    }

    /// The state lies behind a pointer: a class's own `var` costs an exclusivity check an access.
    public let storage: UnsafeMutablePointer<Storage>

    public init(capacity: Int = 4_096) {
        let capacity = max(64, capacity)
        storage = .allocate(capacity: 1)
        storage.initialize(to: Storage(base: .allocate(capacity: capacity), count: 0, capacity: capacity))
    }

    deinit {
        storage.pointee.base.deallocate()
        storage.deallocate()
    }

    /// How many bytes were written.
    @inlinable public var count: Int { storage.pointee.count }
    /// How many fit before the buffer grows.
    @inlinable public var capacity: Int { storage.pointee.capacity }

    /// The bytes written so far; valid until the next write.
    @inlinable public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: storage.pointee.base, count: count)
    }

    /// The bytes of a range; an empty buffer when the range lies outside.
    @inlinable public func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        guard range.lowerBound >= 0, range.upperBound <= count else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(start: storage.pointee.base + range.lowerBound, count: range.count)
    }

    @inlinable public func removeAll() { storage.pointee.count = 0 }

    /// Drops what was written after the first `count` bytes.
    @inlinable public func truncate(to count: Int) {
        storage.pointee.count = min(self.count, max(0, count))
    }

    /// Makes room for `extra` bytes and returns where they go; ``advance(_:)`` then says how many were written.
    @inline(__always)
    public func reserve(_ extra: Int) -> UnsafeMutablePointer<UInt8> {
        let needed = storage.pointee.count + extra
        if needed > storage.pointee.capacity { grow(needed) }
        return storage.pointee.base + storage.pointee.count
    }

    /// Counts `written` of the bytes that were reserved.
    @inline(__always)
    public func advance(_ written: Int) {
        assert(count + written <= capacity)
        storage.pointee.count &+= written
    }

    @inline(never)
    private func grow(_ needed: Int) {
        let old = storage.pointee
        let capacity = max(needed, old.capacity * 2)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: old.base, count: old.count)
        old.base.deallocate()
        storage.pointee.base = larger
        storage.pointee.capacity = capacity
    }
}

extension ByteBuffer {
    @inline(__always)
    public func append(_ byte: UInt8) {
        reserve(1).pointee = byte
        advance(1)
    }

    @inline(__always)
    public func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        UnsafeMutableRawPointer(reserve(bytes.count)).copyMemory(from: start, byteCount: bytes.count)
        advance(bytes.count)
    }

    /// Text known at compile time: a JSON member's name with its punctuation.
    @inline(__always)
    public func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    public func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// A decimal integer.
    public func append(_ value: Int64) { advance(reserve(20).writeDecimal(value)) }

    /// The shortest decimal that reads back as the value; `null` for NaN and infinity, for which JSON has no text.
    public func append(_ value: Double) { advance(reserve(32).writeJSON(value)) }
}

extension UnsafeMutablePointer<UInt8> {
    /// Writes a decimal integer and returns its length; there must be room for 20 bytes.
    @inline(__always)
    public func writeDecimal(_ value: Int64) -> Int {
        var magnitude = value.magnitude
        let sign = value < 0 ? 1 : 0
        if sign == 1 { self[0] = UInt8(ascii: "-") }
        let length = sign &+ Self.decimalLength(magnitude)
        var position = length
        // Two digits a division: 100 is divided by multiplication, so the chain of remainders is half as long.
        while magnitude >= 100 {
            let pair = UInt32(truncatingIfNeeded: magnitude % 100)
            magnitude /= 100
            position &-= 2
            writePair(pair, at: position)
        }
        if magnitude >= 10 {
            writePair(UInt32(truncatingIfNeeded: magnitude), at: position &- 2)
        } else {
            self[position &- 1] = 0x30 | UInt8(truncatingIfNeeded: magnitude)
        }
        return length
    }

    @inline(__always)
    private func writePair(_ pair: UInt32, at position: Int) {
        let tens = (pair &* 103) &>> 10
        self[position] = 0x30 | UInt8(truncatingIfNeeded: tens)
        self[position &+ 1] = 0x30 | UInt8(truncatingIfNeeded: pair &- tens &* 10)
    }

    /// Count of decimal digits.
    @inline(__always)
    private static func decimalLength(_ value: UInt64) -> Int {
        var length = 1
        var bound: UInt64 = 10
        while value >= bound {
            length &+= 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        return length
    }

    /// Writes the shortest decimal that reads back as the value, `null` when it is not finite, and returns its length;
    /// there must be room for 32 bytes.
    @inline(__always)
    public func writeJSON(_ value: Double) -> Int {
        guard value.isFinite else {
            UnsafeMutableRawPointer(self).storeBytes(of: UInt32(littleEndian: 0x6C6C_756E), as: UInt32.self)
            return 4
        }
        return cnumeric_write_double(UnsafeMutableRawPointer(self).assumingMemoryBound(to: CChar.self), 32, value)
    }
}

extension ByteBuffer {
    /// Puts four bytes, little-endian, over what was written at `position`.
    public func overwrite(_ value: UInt32, at position: Int) {
        precondition(position >= 0 && position + 4 <= count)
        UnsafeMutableRawPointer(storage.pointee.base + position).storeBytes(of: value.littleEndian, as: UInt32.self)
    }
}
