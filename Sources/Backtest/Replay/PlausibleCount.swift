/// Counts and times from a checkpoint, which anybody may have written: those that later sums cannot overflow.
enum PlausibleCount {
    /// More than any topic holds, and far from what 64 bits hold.
    static let most = 1 << 53

    static func holds(_ counts: Int...) -> Bool { holds(counts) }
    static func holds(_ counts: some Sequence<Int>) -> Bool { counts.allSatisfy { (0...most).contains($0) } }
    static func holds(time: Int64?) -> Bool { time.map { $0.magnitude <= UInt64(most) } ?? true }
}
