import Events

/// Places in a user's record. All numbers little-endian, all parts multiples of 8 bytes.
///
/// ```
///  0 hash        u64   keyed hash of the id ┐
///  8 journal     u32   entry of the undo log│ local to the process,
/// 12 capacity    u16   32-byte units, flags │ not in the changelog
/// 14 idBytes     u16                        │
/// 16 used        u32   bytes in use         │
/// 20 epoch       u32   0 released, else   ┘ (``UndoLog/epoch`` of the last change)
/// 24 clock       i64   latest event time  ┐
/// 32 events      u32   events applied     │
/// 36 oldestID    u16   next id to replace │ fixed part
/// 38 refuses     u16  ``Purposes`` refused │
/// 40 counts      u16 × lists, padded      │
///    words       u64 × 8-byte values      │
///    halves      u32 × 4-byte values      ┘
///    id          the user's id, padded
///    list 0      event ids      u64 each
///    list 1 …    rows of a calendar: bucket u32, 4-byte lanes, padding, 8-byte lanes; ascending buckets
///    list …      values of a distinct table: fingerprint u32, latest bucket u32
/// ```
enum RecordLayout {
    static let hash = 0
    static let journal = 8
    static let capacity = 12
    static let idBytes = 14
    static let used = 16
    static let epoch = 20
    /// Where the part begins that is stored in the changelog.
    static let clock = 24
    static let events = 32
    static let oldestID = 36
    /// Zero in records of versions that knew of no refusal.
    static let refuses = 38
    static let counts = 40

    /// In a block that was released: the blocks of its size that were released before and after it, 0 for none
    /// (``RecordArena``). In place of the hash.
    static let nextReleased = 0
    static let previousReleased = 4

    /// Flags in the two upper bits of the capacity, whose units need 14 (a record is at most 256 KiB and its id): the
    /// local store does not hold the record as it is; it was changed since the last look for cold records.
    static let unsaved: UInt16 = 1 << 14
    static let warm: UInt16 = 1 << 15
    static let flags = unsaved | warm

    static func padded(_ bytes: Int) -> Int { (bytes &+ 7) & ~7 }
}

/// A record in memory: typed access to the fields whose places are the same in every plan.
struct UserRecord {
    let address: UnsafeMutableRawPointer

    @inline(__always)
    func read<Value: BitwiseCopyable>(_ offset: Int, as type: Value.Type) -> Value {
        address.load(fromByteOffset: offset, as: type)
    }

    @inline(__always)
    func write<Value: BitwiseCopyable>(_ offset: Int, _ value: Value) {
        address.storeBytes(of: value, toByteOffset: offset, as: Value.self)
    }

    var hash: UInt64 { read(RecordLayout.hash, as: UInt64.self) }
    var idBytes: Int { Int(read(RecordLayout.idBytes, as: UInt16.self)) }
    var used: Int { Int(read(RecordLayout.used, as: UInt32.self)) }
    /// Bytes of the block.
    var capacity: Int {
        Int(read(RecordLayout.capacity, as: UInt16.self) & ~RecordLayout.flags) &* RecordArena.unit
    }
    var clock: Int64 { read(RecordLayout.clock, as: Int64.self) }
    /// Bits of a later version's purposes stay as they are.
    var refuses: Purposes { Purposes(rawValue: UInt8(truncatingIfNeeded: read(RecordLayout.refuses, as: UInt16.self))) }
    var epoch: UInt32 { read(RecordLayout.epoch, as: UInt32.self) }
    var isLive: Bool { epoch != 0 }
    var flags: UInt16 { read(RecordLayout.capacity, as: UInt16.self) & RecordLayout.flags }
    var isUnsaved: Bool { flags & RecordLayout.unsaved != 0 }
    var isWarm: Bool { flags & RecordLayout.warm != 0 }

    @inline(__always)
    func raise(_ flags: UInt16) {
        write(RecordLayout.capacity, read(RecordLayout.capacity, as: UInt16.self) | flags)
    }

    @inline(__always)
    func lower(_ flags: UInt16) {
        write(RecordLayout.capacity, read(RecordLayout.capacity, as: UInt16.self) & ~flags)
    }

    @inline(__always)
    func listCount(_ list: Int) -> Int { Int(read(RecordLayout.counts &+ 2 &* list, as: UInt16.self)) }
    @inline(__always)
    func setListCount(_ list: Int, _ count: Int) {
        write(RecordLayout.counts &+ 2 &* list, UInt16(truncatingIfNeeded: count))
    }
}
