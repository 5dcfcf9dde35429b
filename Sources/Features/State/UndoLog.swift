/// What a rollback needs: for each user touched since the last commit, the record as it was then.
///
/// Also the list of changed users for the changelog, in the order in which they were first touched. Images lie in
/// chunks that are kept for the next transaction.
struct UndoLog {
    struct Entry: BitwiseCopyable {
        /// The user's record now; 0 when the user was removed.
        var reference: UInt32
        /// Length of ``image`` in bytes.
        var bytes: UInt32
        /// The record at the last commit; nil for a user who was not there.
        var image: UnsafeMutableRawPointer?
    }

    /// The epoch of a record that was not changed since it came to its place; no transaction has it.
    static let untouched: UInt32 = 1
    private static let chunkBytes = 1 << 20
    /// Numbers the transactions; a record carries that of its last change, so one comparison with memory that is at
    /// hand tells whether it is in the log.
    var epoch = UndoLog.untouched + 1
    private(set) var count = 0
    private var capacity = 1_024
    private var entries: UnsafeMutablePointer<Entry>
    private var chunks: [UnsafeMutableRawPointer] = []
    private var chunk = -1
    private var filled = 0

    init() { entries = .allocate(capacity: capacity) }

    func deallocate() {
        entries.deallocate()
        for chunk in chunks { chunk.deallocate() }
    }

    /// Bytes of memory held.
    var bytes: Int { capacity * MemoryLayout<Entry>.stride + chunks.count * Self.chunkBytes }

    /// Bytes of it that the transaction at hand uses.
    var usedBytes: Int { count * MemoryLayout<Entry>.stride + max(0, chunk) * Self.chunkBytes + filled }

    subscript(i: Int) -> Entry { entries[i] }

    /// Whether the record was changed since the last commit, so that its journal field names its entry.
    @inline(__always)
    func holds(_ record: UserRecord) -> Bool { record.epoch == epoch }

    @inline(__always)
    func redirect(_ index: UInt32, to reference: UInt32) { entries[Int(index)].reference = reference }

    /// Adds a user who is new since the last commit.
    mutating func appendNew(_ reference: UInt32) -> UInt32 {
        append(Entry(reference: reference, bytes: 0, image: nil))
    }

    /// Adds a user with the record as it is, before its first change.
    mutating func append(_ reference: UInt32, _ record: UserRecord) -> UInt32 {
        let bytes = record.used
        if chunk < 0 || filled &+ bytes > Self.chunkBytes { startChunk() }
        let image = chunks[chunk] + filled
        image.copyMemory(from: record.address, byteCount: bytes)
        filled &+= bytes
        return append(Entry(reference: reference, bytes: UInt32(truncatingIfNeeded: bytes), image: image))
    }

    @inline(__always)
    private mutating func append(_ entry: Entry) -> UInt32 {
        if count == capacity { grow() }
        entries[count] = entry
        count &+= 1
        return UInt32(truncatingIfNeeded: count &- 1)
    }

    /// Forgets everything.
    /// - Returns: true when the epochs have run out (once in 2³² transactions) and begin anew: then no record may carry
    ///   one.
    mutating func removeAll() -> Bool {
        count = 0
        chunk = -1
        filled = 0
        guard epoch == .max else {
            epoch += 1
            return false
        }
        epoch = Self.untouched + 1
        return true
    }

    private mutating func startChunk() {
        chunk += 1
        filled = 0
        if chunk == chunks.count { chunks.append(.allocate(byteCount: Self.chunkBytes, alignment: 16)) }
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: capacity * 2)
        larger.update(from: entries, count: count)
        entries.deallocate()
        entries = larger
        capacity *= 2
    }
}
