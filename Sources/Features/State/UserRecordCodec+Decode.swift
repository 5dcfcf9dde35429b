import Base
import Events

extension UserRecordCodec {
    /// Reads a stored record into `payload`: the fixed part from ``RecordLayout/clock`` on, then the lists.
    ///
    /// - Parameter payload: room for the plan's largest record.
    /// - Returns: bytes written.
    /// - Throws: `badInput`: `state_record_truncated`, `state_record_version`, `state_record_specification`,
    ///   `state_record_damaged`, or `state_record_inconsistent` when the checksum holds but the parts contradict.
    func decode(
        _ bytes: UnsafeRawBufferPointer, user: UnsafeRawBufferPointer, into payload: UnsafeMutableRawPointer
    ) throws(ImpactError) -> Int {
        try Self.checkHeader(bytes, user)
        let stored = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        guard stored == fingerprint else {
            let (a, b) = (String(stored, radix: 16), String(fingerprint, radix: 16))
            throw Self.error(
                "specification", user,
                "it was kept for other features (fingerprint \(a), the model's is \(b)); features of another "
                    + "specification need a state of their own: set another application.id, or reset this one's")
        }
        let (words, wordsStart) = try Self.checkFrame(bytes, user, most: program.largestRecord - RecordLayout.clock)
        guard words % 8 == 0 || bytes[wordsStart - 1] >> UInt8(words % 8) == 0 else {
            throw Self.error("inconsistent", user, "its bitmap has bits beyond its words")
        }
        var next = wordsStart
        for i in 0..<words {
            var word: UInt64 = 0
            if bytes[Self.headerBytes + i / 8] >> UInt8(i % 8) & 1 == 1 {
                word = bytes.loadUnaligned(fromByteOffset: next, as: UInt64.self)
                next += 8
            }
            payload.storeBytes(of: word, toByteOffset: i * 8, as: UInt64.self)
        }
        if let contradiction = contradiction(payload, words * 8) {
            throw Self.error("inconsistent", user, contradiction)
        }
        return words * 8
    }

    private static func checkHeader(
        _ bytes: UnsafeRawBufferPointer, _ user: UnsafeRawBufferPointer
    ) throws(ImpactError) {
        guard bytes.count >= 1 else { throw error("truncated", user, "it is empty") }
        guard bytes[0] == version else {
            throw error("version", user, "it is of version \(bytes[0]), and this program reads version \(version)")
        }
        guard bytes.count >= headerBytes else {
            throw error("truncated", user, "it has \(bytes.count) bytes, less than its header")
        }
    }

    /// Lengths and checksum of a record with a header.
    ///
    /// - Returns: how many words the record has, and where those that are not zero begin.
    @inline(__always)
    private static func checkFrame(
        _ bytes: UnsafeRawBufferPointer, _ user: UnsafeRawBufferPointer, most: Int
    ) throws(ImpactError) -> (words: Int, start: Int) {
        let words = Int(bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        let start = headerBytes + (words + 7) / 8
        guard bytes[1] == 0, bytes.count >= start, words * 8 <= most else {
            throw error("truncated", user, "it has \(bytes.count) bytes and speaks of \(words) words")
        }
        var kept = 0
        for i in headerBytes..<start { kept += bytes[i].nonzeroBitCount }
        guard bytes.count == start + kept * 8 else {
            throw error("truncated", user, "it has \(bytes.count) bytes instead of \(start + kept * 8)")
        }
        let covered = UnsafeRawBufferPointer(rebasing: bytes[8...])
        let checksum = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        guard checksum == RecordChecksum.of(covered, seed: seed(user)) else {
            throw error("damaged", user, "its checksum is wrong")
        }
        return (words, start)
    }

    /// Whether a record is whole, of whatever features: what a tool can say without the model.
    public static func isIntact(_ bytes: UnsafeRawBufferPointer, user: UnsafeRawBufferPointer) -> Bool {
        do throws(ImpactError) {
            try checkHeader(bytes, user)
            _ = try checkFrame(bytes, user, most: .max)
            return true
        } catch { return false }
    }

    /// What in the record contradicts the plan: nothing that passes can lead a later access astray.
    private func contradiction(_ payload: UnsafeMutableRawPointer, _ count: Int) -> String? {
        let fixedBytes = program.fixedEnd - RecordLayout.clock
        guard count >= fixedBytes else { return "its fixed part is short" }
        // Offsets of the layout count from the block's start, the payload's from the clock.
        let record = UserRecord(address: payload - RecordLayout.clock)
        var offset = fixedBytes
        var left = count - fixedBytes
        func take(_ bytes: Int) -> Bool {
            guard bytes <= left else { return false }
            left -= bytes
            return true
        }
        let ids = record.listCount(0)
        let oldest = Int(record.read(RecordLayout.oldestID, as: UInt16.self))
        guard ids <= program.deduplicationIDs, oldest == 0 || ids == program.deduplicationIDs && oldest < ids,
            take(ids * 8)
        else { return "its event ids are out of bounds" }
        offset += ids * 8
        let now = CalendarClock.minute(record.clock)
        for c in 0..<program.calendars.count {
            let calendar = program.calendars.base[c]
            let rows = record.listCount(1 + c)
            guard take(rows * calendar.rowBytes) else { return "its rows are out of bounds" }
            var previous: UInt64?
            for _ in 0..<rows {
                let bucket = UInt64(payload.load(fromByteOffset: offset, as: UInt32.self))
                guard calendar.clock.covers(bucket, calendar.clock.bucket(now)), previous.map({ $0 < bucket }) ?? true
                else { return "its rows are out of order" }
                previous = bucket
                offset += calendar.rowBytes
            }
        }
        for d in 0..<program.distincts.count {
            let table = program.distincts.base[d]
            let values = record.listCount(1 + program.calendars.count + d)
            guard values <= table.capacity, take(values * 8) else { return "its distinct values are out of bounds" }
            for _ in 0..<values {
                let bucket = payload.load(fromByteOffset: offset, as: UInt64.self) >> 32
                guard table.clock.covers(bucket, table.clock.bucket(now)) else {
                    return "its distinct values are out of time"
                }
                offset += 8
            }
        }
        return left == 0 ? nil : "it has \(left) bytes too many"
    }

    private static func error(_ code: String, _ user: UnsafeRawBufferPointer, _ reason: String) -> ImpactError {
        let name = String(decoding: user.prefix(100), as: UTF8.self)
        return ImpactError(
            .badInput, code: "state_record_\(code)", "the stored state of user \"\(name)\" cannot be used: \(reason)")
    }
}

extension UserRecordCodec {
    /// Gives bytes the version, fingerprint and checksum of a good record, so that fuzzers and tests reach what lies
    /// behind these checks.
    public func seal(_ bytes: inout [UInt8], user: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headerBytes else { return }
        let fingerprint = fingerprint
        bytes.withUnsafeMutableBytes { bytes in
            bytes[0] = Self.version
            bytes[1] = 0
            bytes.storeBytes(of: fingerprint, toByteOffset: 8, as: UInt64.self)
            let covered = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[8...])
            let checksum = RecordChecksum.of(covered, seed: Self.seed(user))
            bytes.storeBytes(of: checksum, toByteOffset: 4, as: UInt32.self)
        }
    }
}
