import Base

/// Everything that is kept of one user: events and scores, in the order in which they came. One value of a table.
///
/// ```
/// log    version (1)  entry…
/// event  kind (1)  flags (1)  time (8)  [value (8)]  id  [channel]  [campaign]  [currency]  [order]
/// score  kind 7 (1)  flags (1)  time (8)  uplift (8)  partition (4)  offset (8)  [error (8)]
/// text   length, seven bits a byte, the lowest first, with the high bit where more follow; bytes
/// ```
/// Numbers are little-endian. The kinds are those of ``TouchReader/types``; flags say which of the parts in brackets are there.
final class UserLog {
    static let version: UInt8 = 1

    /// The kinds as they are stored; those before ``purchase`` make sessions.
    enum Kind {
        static let adView: UInt8 = 0
        static let treatment: UInt8 = 4
        static let purchase: UInt8 = 5
        static let refund: UInt8 = 6
        static let score: UInt8 = 7
        /// Not stored: what came before goes.
        static let erasure: UInt8 = 255
    }

    enum Flags {
        static let value: UInt8 = 1
        static let channel: UInt8 = 2
        static let campaign: UInt8 = 4
        static let currency: UInt8 = 8
        static let order: UInt8 = 16
        static let error: UInt8 = 1
    }

    /// Bytes of the log; a negative count for a text that is not there.
    struct Text: BitwiseCopyable {
        var start: Int32 = 0
        var count: Int32 = -1
        var isPresent: Bool { count >= 0 }
    }

    struct Event: BitwiseCopyable {
        var kind: UInt8
        var time: Int64
        /// NaN for none.
        var value: Double
        var id: Text
        var idHash: UInt64
        var channel = Text()
        var campaign = Text()
        var currency = Text()
        var order = Text()
    }

    struct Score: BitwiseCopyable {
        var time: Int64
        var uplift: Double
        /// NaN for none.
        var error: Double
        var partition: Int32
        var offset: Int64
        var start: Int
    }

    private static let scoreBytes = 30

    let buffer = ByteBuffer(capacity: 4_096)
    private(set) var events: [Event] = []
    private(set) var scores: [Score] = []
    private(set) var purchases = 0
    /// Hashes of the ids, once they are many.
    private var ids: Set<UInt64> = []
    private static let few = 48

    init() { removeAll() }

    var isEmpty: Bool { events.isEmpty && scores.isEmpty }
    var bytes: UnsafeRawBufferPointer { buffer.bytes }

    func bytes(_ text: Text) -> UnsafeRawBufferPointer {
        buffer.bytes(Int(text.start)..<Int(text.start) + Int(max(0, text.count)))
    }
    func string(_ text: Text) -> String { String(decoding: bytes(text), as: UTF8.self) }
    func optional(_ text: Text) -> String? { text.isPresent ? string(text) : nil }

    func areEqual(_ a: Text, _ b: Text) -> Bool {
        a.count == b.count && (a.count <= 0 || bytes(a).hasBytes(of: bytes(b)))
    }

    func removeAll() {
        buffer.removeAll()
        buffer.append(Self.version)
        events.removeAll(keepingCapacity: true)
        scores.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
        purchases = 0
    }

    /// - Throws: `log_damaged`.
    func load(_ stored: UnsafeRawBufferPointer) throws(ImpactError) {
        removeAll()
        guard stored.first == Self.version else { throw Self.damaged() }
        buffer.truncate(to: 0)
        buffer.append(stored)
        var at = 1
        while at < buffer.count { try decode(&at) }
    }

    private static func damaged() -> ImpactError {
        ImpactError(
            .badInput, code: "log_damaged",
            "what is stored of a user's events cannot be read: the database is damaged, or of a later version. Begin with "
                + "another --out, which reads the topic from its beginning")
    }

    /// Appends an entry.
    ///
    /// - Returns: false for one that is there already.
    func append(_ entry: UnsafeRawBufferPointer) throws(ImpactError) -> Bool {
        let start = buffer.count
        buffer.append(entry)
        var at = start
        let (known, knownScores) = (events.count, scores.count)
        try decode(&at)
        let isNew: Bool
        if scores.count > knownScores {
            let score = scores[knownScores]
            isNew = !scores[..<knownScores].contains { $0.partition == score.partition && $0.offset == score.offset }
            if !isNew { scores.removeLast() }
        } else {
            isNew = !hasID(events[known], before: known)
            if isNew {
                if !ids.isEmpty { ids.insert(events[known].idHash) }
            } else {
                if events[known].kind == Kind.purchase { purchases -= 1 }
                events.removeLast()
            }
        }
        if !isNew { buffer.truncate(to: start) }
        return isNew
    }

    private func hasID(_ event: Event, before end: Int) -> Bool {
        if end < Self.few {
            for index in 0..<end where events[index].idHash == event.idHash && areEqual(events[index].id, event.id) {
                return true
            }
            return false
        }
        if ids.isEmpty { ids = Set(events[..<end].map(\.idHash)) }
        return ids.contains(event.idHash)
    }

    /// Removes scores by their places among ``scores``, in ascending order.
    func remove(scores places: [Int]) {
        guard !places.isEmpty else { return }
        let copy = ByteBuffer(capacity: buffer.count)
        var from = 0
        for place in places {
            let start = scores[place].start
            copy.append(buffer.bytes(from..<start))
            from = start + Self.scoreBytes + (scores[place].error.isNaN ? 0 : 8)
        }
        copy.append(buffer.bytes(from..<buffer.count))
        // What was read is not asked for any more: the log is written next.
        buffer.removeAll()
        buffer.append(copy.bytes)
        for place in places.reversed() { scores.remove(at: place) }
    }

    // MARK: Bytes

    private func decode(_ at: inout Int) throws(ImpactError) {
        let all = buffer.bytes
        let start = at
        guard at + 10 <= all.count else { throw Self.damaged() }
        let (kind, flags) = (all[at], all[at + 1])
        let time = Int64(littleEndian: all.loadUnaligned(fromByteOffset: at + 2, as: Int64.self))
        at += 10
        if kind == Kind.score {
            guard start + Self.scoreBytes <= all.count else { throw Self.damaged() }
            let uplift = try Self.double(all, &at)
            let partition = Int32(littleEndian: all.loadUnaligned(fromByteOffset: at, as: Int32.self))
            let offset = Int64(littleEndian: all.loadUnaligned(fromByteOffset: at + 4, as: Int64.self))
            at += 12
            let error = flags & Flags.error != 0 ? try Self.double(all, &at) : .nan
            scores.append(
                Score(time: time, uplift: uplift, error: error, partition: partition, offset: offset, start: start))
            return
        }
        guard kind <= Kind.refund else { throw Self.damaged() }
        let value = flags & Flags.value != 0 ? try Self.double(all, &at) : .nan
        let id = try Self.text(all, &at)
        var event = Event(
            kind: kind, time: time, value: value, id: id,
            idHash: StableHash.hash(UnsafeRawBufferPointer(rebasing: all[Int(id.start)..<Int(id.start + id.count)])))
        if flags & Flags.channel != 0 { event.channel = try Self.text(all, &at) }
        if flags & Flags.campaign != 0 { event.campaign = try Self.text(all, &at) }
        if flags & Flags.currency != 0 { event.currency = try Self.text(all, &at) }
        if flags & Flags.order != 0 { event.order = try Self.text(all, &at) }
        if kind == Kind.purchase { purchases += 1 }
        events.append(event)
    }

    /// The id of an event's entry that is not in a log yet.
    static func id(of entry: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var at = entry[1] & Flags.value != 0 ? 18 : 10
        guard let id = try? text(entry, &at) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: entry[Int(id.start)..<Int(id.start + id.count)])
    }

    @inline(__always)
    private static func double(_ all: UnsafeRawBufferPointer, _ at: inout Int) throws(ImpactError) -> Double {
        guard at + 8 <= all.count else { throw damaged() }
        defer { at += 8 }
        return Double(bitPattern: UInt64(littleEndian: all.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
    }

    @inline(__always)
    private static func text(_ all: UnsafeRawBufferPointer, _ at: inout Int) throws(ImpactError) -> Text {
        var (length, shift) = (0, 0)
        while true {
            guard at < all.count, shift < 32 else { throw damaged() }
            let byte = all[at]
            at += 1
            length |= Int(byte & 0x7F) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        guard at + length <= all.count else { throw damaged() }
        defer { at += length }
        return Text(start: Int32(truncatingIfNeeded: at), count: Int32(truncatingIfNeeded: length))
    }
}

extension ByteBuffer {
    /// Appends an event as ``UserLog`` holds it. Texts without an address are not there.
    func appendEntry(
        kind: UInt8, time: Int64, value: Double, id: UnsafeRawBufferPointer, channel: UnsafeRawBufferPointer?,
        campaign: UnsafeRawBufferPointer?, currency: UnsafeRawBufferPointer?, order: UnsafeRawBufferPointer?
    ) {
        var flags: UInt8 = value.isNaN ? 0 : UserLog.Flags.value
        if channel != nil { flags |= UserLog.Flags.channel }
        if campaign != nil { flags |= UserLog.Flags.campaign }
        if currency != nil { flags |= UserLog.Flags.currency }
        if order != nil { flags |= UserLog.Flags.order }
        append(kind)
        append(flags)
        appendWord(UInt64(bitPattern: time))
        if !value.isNaN { appendWord(value.bitPattern) }
        appendLogText(id)
        if let channel { appendLogText(channel) }
        if let campaign { appendLogText(campaign) }
        if let currency { appendLogText(currency) }
        if let order { appendLogText(order) }
    }

    func appendScore(time: Int64, uplift: Double, error: Double, partition: Int32, offset: Int64) {
        append(UserLog.Kind.score)
        append(error.isFinite ? UserLog.Flags.error : 0)
        appendWord(UInt64(bitPattern: time))
        appendWord(uplift.bitPattern)
        UnsafeMutableRawPointer(reserve(4)).storeBytes(of: partition.littleEndian, as: Int32.self)
        advance(4)
        appendWord(UInt64(bitPattern: offset))
        if error.isFinite { appendWord(error.bitPattern) }
    }

    @inline(__always)
    private func appendWord(_ word: UInt64) {
        UnsafeMutableRawPointer(reserve(8)).storeBytes(of: word.littleEndian, as: UInt64.self)
        advance(8)
    }

    @inline(__always)
    private func appendLogText(_ text: UnsafeRawBufferPointer) {
        var left = text.count
        while left >= 0x80 {
            append(UInt8(left & 0x7F | 0x80))
            left >>= 7
        }
        append(UInt8(left))
        append(text)
    }
}
