import Base
import Events

extension PartitionState {
    /// Bytes that suffice for the stored form of the user's record.
    public func encodedBound(_ slot: Slot) -> Int {
        UserRecordCodec.bound(core.pointee.record(slot.reference).used)
    }

    /// Writes the stored form of the user's record (``UserRecordCodec``).
    ///
    /// - Parameter out: room for ``encodedBound(_:)`` bytes.
    /// - Returns: bytes written.
    public func encode(_ slot: Slot, to out: UnsafeMutableRawPointer) -> Int {
        let record = core.pointee.record(slot.reference)
        return core.pointee.codec.encode(
            record, listsStart: core.pointee.listsStart(record), user: core.pointee.user(record), to: out)
    }

    /// Appends the stored form of the user's record.
    public func encode(_ slot: Slot, into buffer: ByteBuffer) {
        buffer.advance(encode(slot, to: UnsafeMutableRawPointer(buffer.reserve(encodedBound(slot)))))
    }

    /// The stored form of the user's record; for tools and tests.
    public func encoded(_ slot: Slot) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: encodedBound(slot)) { buffer, count in
            count = buffer.baseAddress.map { encode(slot, to: UnsafeMutableRawPointer($0)) } ?? 0
        }
    }

    /// Puts a stored record in place of what is known about the user; nil, a tombstone, removes the user.
    ///
    /// For filling the state from the changelog or a checkpoint, before events arrive: it is not part of a
    /// transaction.
    ///
    /// - Parameter isUnsaved: whether the local store lacks the record as it is.
    /// - Throws: `badInput` for a record that is damaged or of another plan (``UserRecordCodec``), `failed` with
    ///   code `restore_in_transaction` when there are uncommitted changes. The state is then as it was.
    public func restore(
        user: UnsafeRawBufferPointer, record bytes: UnsafeRawBufferPointer?, isUnsaved: Bool = false
    ) throws(ImpactError) {
        guard core.pointee.undo.count == 0 else {
            throw ImpactError(
                .failed, code: "restore_in_transaction",
                "state was to be restored while changes are not committed: commit or roll back first")
        }
        guard user.count <= Int(UInt16.max) else {
            throw ImpactError(
                .badInput, code: "user_id_too_long", "a stored user id has \(user.count) bytes, more than 65535")
        }
        try core.pointee.restore(user, bytes, isUnsaved)
    }
}

extension PartitionCore {
    mutating func restore(
        _ user: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer?, _ isUnsaved: Bool
    ) throws(ImpactError) {
        let hash = self.hash(user)
        guard let bytes else {
            if let entry = find(user, hash) { discard(entry) }
            return
        }
        let count = try codec.decode(bytes, user: user, into: scratch)
        if let entry = find(user, hash) { discard(entry) }
        let latest = scratch.load(as: Int64.self)
        clock = max(clock, latest)
        committedClock = max(committedClock, latest)
        let fixedBytes = fixedEnd - RecordLayout.clock
        let lists = fixedEnd + RecordLayout.padded(user.count)
        let used = lists + count - fixedBytes
        let reference = allocate(used: used)
        let record = record(reference)
        prepare(record, hash: hash, idBytes: user.count, used: used)
        if isUnsaved { record.raise(RecordLayout.unsaved) }
        record.address.advanced(by: fixedEnd).initializeMemory(as: UInt8.self, repeating: 0, count: lists - fixedEnd)
        if let id = user.baseAddress { (record.address + fixedEnd).copyMemory(from: id, byteCount: user.count) }
        (record.address + RecordLayout.clock).copyMemory(from: scratch, byteCount: fixedBytes)
        (record.address + lists).copyMemory(from: scratch + fixedBytes, byteCount: count - fixedBytes)
        _ = table.insert(hash, reference)
    }
}
