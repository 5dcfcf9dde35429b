import CNumeric

/// A growing arena of bytes that is reused: JSON is written into it, texts are kept in it.
///
/// Grows by doubling and never shrinks, so that a steady load allocates nothing. Not for several threads at once.
public final class ByteBuffer {
    private(set) var base: UnsafeMutablePointer<UInt8>
    public private(set) var count = 0
    public private(set) var capacity: Int

    public init(capacity: Int = 4_096) {
        self.capacity = max(64, capacity)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    /// The bytes written so far; valid until the next write.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// The bytes of a range; an empty buffer when the range lies outside.
    public func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        guard range.lowerBound >= 0, range.upperBound <= count else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    public func removeAll() { count = 0 }

    /// Drops what was written after the first `count` bytes.
    public func truncate(to count: Int) { self.count = min(self.count, max(0, count)) }

    /// Makes room for `extra` bytes and returns where they go; ``advance(_:)`` then says how many were written.
    @inline(__always)
    package func reserve(_ extra: Int) -> UnsafeMutablePointer<UInt8> {
        if count + extra > capacity { grow(count + extra) }
        return base + count
    }

    @inline(__always)
    package func advance(_ written: Int) { count += written }

    @inline(never)
    private func grow(_ needed: Int) {
        capacity = max(needed, capacity * 2)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
    }

    @inline(__always)
    public func append(_ byte: UInt8) {
        reserve(1).pointee = byte
        count += 1
    }

    @inline(__always)
    public func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        UnsafeMutableRawPointer(reserve(bytes.count)).copyMemory(from: start, byteCount: bytes.count)
        count += bytes.count
    }

    /// Text known at compile time: a JSON member's name with its punctuation.
    @inline(__always)
    public func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    public func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// A decimal integer.
    public func append(_ value: Int64) {
        let out = reserve(20)
        var magnitude = value.magnitude
        var length = 1
        var rest = magnitude
        while rest >= 10 {
            rest /= 10
            length += 1
        }
        let sign = value < 0 ? 1 : 0
        if sign == 1 { out[0] = UInt8(ascii: "-") }
        var position = sign + length
        repeat {
            position -= 1
            out[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10)
            magnitude /= 10
        } while magnitude > 0
        count += sign + length
    }

    /// The shortest decimal that reads back as the value; `null` for NaN and infinity, for which JSON has no text.
    public func append(_ value: Double) {
        guard value.isFinite else { return append("null") }
        let out = UnsafeMutableRawPointer(reserve(32)).assumingMemoryBound(to: CChar.self)
        count += cnumeric_write_double(out, 32, value)
    }
}
