/// From the hash of a user's id to the reference of the record: open addressing with linear probing.
///
/// 128 segments by the hash's upper bits grow each on its own, so that no growth moves more than a 128th of the users.
/// An entry is 8 bytes: 32 bits of the hash, which also give its home place whatever the segment's size, and the
/// record's reference; 0 is empty. The record confirms a match. Removal shifts back, so there are no tombstones.
struct UserTable {
    private struct Segment: BitwiseCopyable {
        var entries: UnsafeMutablePointer<UInt64>
        var mask: UInt32
        var count: UInt32
    }

    private static let segmentBits: UInt64 = 7
    static let segmentCount = 1 << Int(segmentBits)
    private static let initialEntries = 16
    private let segments: UnsafeMutablePointer<Segment>
    private(set) var count = 0

    init() {
        segments = .allocate(capacity: Self.segmentCount)
        for i in 0..<Self.segmentCount {
            segments[i] = Segment(
                entries: Self.empty(Self.initialEntries), mask: UInt32(Self.initialEntries - 1), count: 0)
        }
    }

    func deallocate() {
        for i in 0..<Self.segmentCount { segments[i].entries.deallocate() }
        segments.deallocate()
    }

    /// Bytes of memory held.
    var bytes: Int { (0..<Self.segmentCount).reduce(0) { $0 + (Int(segments[$1].mask) + 1) * 8 } }

    private static func empty(_ count: Int) -> UnsafeMutablePointer<UInt64> {
        let entries = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        entries.initialize(repeating: 0, count: count)
        return entries
    }

    /// Where the search for the hash begins; for prefetching.
    @inline(__always)
    func home(_ hash: UInt64) -> UnsafeMutablePointer<UInt64> {
        let segment = segments[Int(hash >> (64 - Self.segmentBits))]
        return segment.entries + Int(UInt32(truncatingIfNeeded: hash) & segment.mask)
    }

    /// The reference that the first entry with the hash's tag holds, unconfirmed; 0 for none. For prefetching.
    @inline(__always)
    func probable(_ hash: UInt64) -> UInt32 {
        let segment = segments[Int(hash >> (64 - Self.segmentBits))]
        let tag = UInt32(truncatingIfNeeded: hash)
        var place = tag & segment.mask
        while true {
            let entry = segment.entries[Int(place)]
            if entry == 0 || UInt32(truncatingIfNeeded: entry >> 32) == tag {
                return UInt32(truncatingIfNeeded: entry)
            }
            place = (place &+ 1) & segment.mask
        }
    }

    /// The entry of the hash whose record `matches`, or nil.
    @inline(__always)
    func find(_ hash: UInt64, _ matches: (UInt32) -> Bool) -> UnsafeMutablePointer<UInt64>? {
        let segment = segments[Int(hash >> (64 - Self.segmentBits))]
        let tag = UInt32(truncatingIfNeeded: hash)
        var place = tag & segment.mask
        while true {
            let entry = segment.entries[Int(place)]
            if entry == 0 { return nil }
            if UInt32(truncatingIfNeeded: entry >> 32) == tag, matches(UInt32(truncatingIfNeeded: entry)) {
                return segment.entries + Int(place)
            }
            place = (place &+ 1) & segment.mask
        }
    }

    /// The record an entry refers to.
    @inline(__always)
    static func reference(_ entry: UnsafeMutablePointer<UInt64>) -> UInt32 {
        UInt32(truncatingIfNeeded: entry.pointee)
    }

    /// Lets an entry refer to another record.
    @inline(__always)
    static func redirect(_ entry: UnsafeMutablePointer<UInt64>, to reference: UInt32) {
        entry.pointee = entry.pointee & 0xFFFF_FFFF_0000_0000 | UInt64(reference)
    }

    /// Adds a hash that is not there.
    mutating func insert(_ hash: UInt64, _ reference: UInt32) -> UnsafeMutablePointer<UInt64> {
        let s = Int(hash >> (64 - Self.segmentBits))
        if (segments[s].count + 1) * 4 > (segments[s].mask + 1) * 3 { grow(s) }
        segments[s].count += 1
        count += 1
        return Self.put(hash << 32 | UInt64(reference), segments[s])
    }

    private static func put(_ entry: UInt64, _ segment: Segment) -> UnsafeMutablePointer<UInt64> {
        var place = UInt32(truncatingIfNeeded: entry >> 32) & segment.mask
        while segment.entries[Int(place)] != 0 { place = (place &+ 1) & segment.mask }
        segment.entries[Int(place)] = entry
        return segment.entries + Int(place)
    }

    private mutating func grow(_ s: Int) {
        let old = segments[s]
        let size = (Int(old.mask) + 1) * 2
        segments[s] = Segment(entries: Self.empty(size), mask: UInt32(size - 1), count: old.count)
        for i in 0...Int(old.mask) where old.entries[i] != 0 { _ = Self.put(old.entries[i], segments[s]) }
        old.entries.deallocate()
    }

    /// Removes an entry of the hash's segment, and moves back those that had given way to it (Knuth 6.4 R).
    mutating func remove(_ hash: UInt64, _ entry: UnsafeMutablePointer<UInt64>) {
        let s = Int(hash >> (64 - Self.segmentBits))
        let segment = segments[s]
        segments[s].count -= 1
        count -= 1
        var hole = UInt32(entry - segment.entries)
        var place = hole
        while true {
            place = (place &+ 1) & segment.mask
            let next = segment.entries[Int(place)]
            if next == 0 { break }
            let home = UInt32(truncatingIfNeeded: next >> 32) & segment.mask
            // The entry may stay when its home lies cyclically in (hole, place].
            if (place &- home) & segment.mask < (place &- hole) & segment.mask { continue }
            segment.entries[Int(hole)] = next
            hole = place
        }
        segment.entries[Int(hole)] = 0
    }

    /// All references, in no particular order.
    func forEach(_ body: (UInt32) -> Void) {
        for s in 0..<Self.segmentCount { forEach(inSegment: s, body) }
    }

    /// The references of one segment. A user stays in a segment for life, wherever the record moves.
    func forEach(inSegment s: Int, _ body: (UInt32) -> Void) {
        for i in 0...Int(segments[s].mask) where segments[s].entries[i] != 0 {
            body(UInt32(truncatingIfNeeded: segments[s].entries[i]))
        }
    }

    /// Places of a segment, and the reference at one; 0 for none. For looking ahead.
    func places(inSegment s: Int) -> Int { Int(segments[s].mask) + 1 }

    @inline(__always)
    func reference(inSegment s: Int, at place: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: segments[s].entries[place])
    }
}
