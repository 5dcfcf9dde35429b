extension UnsafeRawBufferPointer {
    /// Whether both hold the same bytes. Whole words, the last one overlapping; for texts as short as names and ids.
    @inline(__always)
    public func hasBytes(of other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard count > 0, let a = baseAddress, let b = other.baseAddress else { return true }
        guard count >= 8 else { return StableHash.shortTail(a, count) == StableHash.shortTail(b, count) }
        var i = 0
        while i &+ 8 < count {
            if StableHash.word(a, i) != StableHash.word(b, i) { return false }
            i &+= 8
        }
        return StableHash.word(a, count &- 8) == StableHash.word(b, count &- 8)
    }
}
