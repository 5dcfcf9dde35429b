import Base

/// The bytes between one member's value and the next one's, as they stood the last time, and what they mean.
struct NamePrediction: BitwiseCopyable {
    /// Longer ones are not predicted.
    static let maxLength = 32

    // A masked word is never 1 under a mask of 0, so a prediction that was not made matches nothing.
    private var first: UInt64 = 1
    private var firstMask: UInt64 = 0
    /// The last eight bytes, which overlap those before.
    private var last: UInt64 = 0
    private var second: UInt64 = 0
    private var third: UInt64 = 0
    private(set) var length: Int32 = 0
    /// What ``NameTable/next(_:_:)`` gives.
    private(set) var index: Int32 = -1
    /// The place that follows.
    private(set) var state: NameTable.State
    /// Makes the size a power of two, so that few of them share a line.
    private let padding: UInt64 = 0

    /// Matches nothing.
    init(state: NameTable.State) { self.state = state }

    /// Nil when the bytes are too many.
    init?(_ bytes: UnsafeRawBufferPointer, index: Int, state: NameTable.State) {
        guard bytes.count <= Self.maxLength, let base = bytes.baseAddress else { return nil }
        (length, self.index, self.state) = (Int32(bytes.count), Int32(index), state)
        firstMask = bytes.count >= 8 ? .max : 1 << UInt64(8 * bytes.count) - 1
        first = bytes.count >= 8 ? StableHash.word(base, 0) : StableHash.shortTail(base, bytes.count)
        if bytes.count > 8 { last = StableHash.word(base, bytes.count - 8) }
        if bytes.count > 16 { second = StableHash.word(base, 8) }
        if bytes.count > 24 { third = StableHash.word(base, 16) }
    }

    /// Whether the same bytes come next.
    /// - Parameters:
    ///   - word: the eight bytes at `here`, of which almost every other member differs.
    ///   - left: how many bytes may be read from `here` on.
    @inline(__always)
    func matches(_ word: UInt64, _ here: UnsafeRawPointer, _ left: Int) -> Bool {
        guard word & firstMask == first else { return false }
        let length = Int(self.length)
        guard length > 8 else { return true }
        guard length <= left, StableHash.word(here, length &- 8) == last else { return false }
        guard length > 16 else { return true }
        return StableHash.word(here, 8) == second && (length <= 24 || StableHash.word(here, 16) == third)
    }
}
