/// Reads numbers and pieces out of bytes that may be anything: what is not there is nil, never read.
///
/// Slices of raw buffers are not checked in a release build; whoever takes a length from a file goes through here.
public struct ByteCursor {
    private var rest: UnsafeRawBufferPointer

    public init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    public var count: Int { rest.count }
    public var isAtEnd: Bool { rest.isEmpty }

    /// The next `count` bytes; nil when there are fewer, or for a negative count.
    public mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= rest.count else { return nil }
        let taken = UnsafeRawBufferPointer(rebasing: rest[..<count])
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        return taken
    }

    /// The next number, little-endian.
    public mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> Value? {
        bytes(MemoryLayout<Value>.size).map { Value(littleEndian: $0.loadUnaligned(as: type)) }
    }
}
