/// Stand-in until Events' own lands.
public final class ByteBuffer {
    public private(set) var count = 0
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    public init(capacity: Int = 1 << 16) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 16)
    }
    deinit { base.deallocate() }
    public func reserve(_ more: Int) -> UnsafeMutableBufferPointer<UInt8> {
        if count + more > capacity {
            let size = max(capacity * 2, count + more)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
            larger.copyMemory(from: base, byteCount: count)
            base.deallocate()
            base = larger
            capacity = size
        }
        return UnsafeMutableBufferPointer(
            start: (base + count).assumingMemoryBound(to: UInt8.self), count: capacity - count)
    }
    public func advance(_ n: Int) { precondition(count + n <= capacity); count += n }
    public func removeAll() { count = 0 }
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
}
