/// Rows of the table `scores`, in one flat arena: adding a row makes no String and, once the arena has grown, no
/// allocation.
///
/// A row's texts are places in the arena. A text equal to the one above it in the same column (model, topic,
/// decision) shares its bytes, so a row costs about the user's id and its numbers.
package final class ScoreRows {
    /// A text in the arena, UTF-8 without a zero byte, or SQL's NULL.
    package struct Text: Sendable, Equatable, BitwiseCopyable {
        var start: UInt32
        var count: UInt32

        package static let null = Text(start: .max, count: 0)
        package var isNull: Bool { start == .max }
    }

    /// One score. Numbers that are NaN become NULL.
    package struct Row: BitwiseCopyable {
        package var sourceTopic = Text.null
        package var sourcePartition: Int32 = 0
        package var sourceOffset: Int64 = 0
        package var user = Text.null
        /// Event time, milliseconds since 1970 UTC.
        package var time: Int64 = 0
        package var eventType = Text.null
        package var treatment = Text.null
        package var outcome = Text.null
        package var uplift = Double.nan
        package var standardError = Double.nan
        package var lower = Double.nan
        package var upper = Double.nan
        package var level = Double.nan
        package var decision = Text.null
        package var model = Text.null
        package var modelVersion = Text.null
        package var modelSHA256 = Text.null
        /// The JSON array of all effects, or NULL when there is one only.
        package var effects = Text.null

        package init() {}
    }

    /// Why a row cannot stand in the table. Both databases refuse, so that both hold the same rows.
    package enum Fault: Error, Sendable, Equatable {
        /// A text with U+0000, which PostgreSQL cannot hold.
        case zeroByte
        /// A text that is not UTF-8.
        case invalidUTF8
        /// A user's id or a topic longer than ``maxKeyBytes``, or one that is empty.
        case keyLength
        /// A column that may not be NULL has no value.
        case missingColumn

        /// A stable name for logs and the table of rejected messages.
        package var code: String {
            switch self {
            case .zeroByte: "zero_byte"
            case .invalidUTF8: "invalid_utf8"
            case .keyLength: "key_length"
            case .missingColumn: "missing_column"
            }
        }
    }

    /// Longest user id or topic name: an entry of PostgreSQL's index holds no more than 2,704 bytes.
    package static let maxKeyBytes = 1024

    /// Most rows of a batch.
    package let capacity: Int
    /// The batch counts as full when its arena holds this many bytes; one row may go beyond.
    package let byteLimit: Int
    package private(set) var count = 0

    private let rows: UnsafeMutablePointer<Row>
    private var arena: UnsafeMutableRawPointer
    private var arenaCapacity: Int
    private var used = 0
    /// Where the arena ended when the last row was complete.
    private var mark = 0
    private var fault: Fault?

    package init(capacity: Int, byteLimit: Int = 16 << 20) {
        precondition(
            capacity > 0 && byteLimit > 0 && byteLimit <= 1 << 30, "a batch holds 1 row or more, 1 GiB or less")
        self.capacity = capacity
        self.byteLimit = byteLimit
        rows = .allocate(capacity: capacity)
        arenaCapacity = min(byteLimit, 1 << 16)
        arena = .allocate(byteCount: arenaCapacity, alignment: 16)
    }

    deinit {
        rows.deallocate()
        arena.deallocate()
    }

    package var isEmpty: Bool { count == 0 }
    package var isFull: Bool { count == capacity || used >= byteLimit }
    package var byteCount: Int { used }

    package subscript(i: Int) -> Row {
        precondition(i >= 0 && i < count, "row out of range")
        return rows[i]
    }

    /// The row added last; all columns NULL when there is none. What its texts equal, the next row shares.
    package var last: Row { count == 0 ? Row() : rows[count - 1] }

    /// The bytes of a text of this batch; nil for NULL. Valid until the batch changes.
    package func bytes(_ text: Text) -> UnsafeRawBufferPointer? {
        if text.isNull { return nil }
        precondition(Int(text.start) + Int(text.count) <= used, "a text of another batch")
        return UnsafeRawBufferPointer(start: arena + Int(text.start), count: Int(text.count))
    }

    /// Puts a text of the row to come into the arena, or shares the bytes of `previous` when they are the same.
    ///
    /// A fault (not UTF-8, a zero byte) is reported by ``append(_:)``.
    package func put(_ bytes: UnsafeRawBufferPointer, sharing previous: Text = .null) -> Text {
        if let old = self.bytes(previous), old.count == bytes.count, old.elementsEqual(bytes) { return previous }
        if let found = Self.check(bytes) { fault = fault ?? found }
        reserve(bytes.count)
        let text = Text(start: UInt32(used), count: UInt32(bytes.count))
        if let source = bytes.baseAddress { (arena + used).copyMemory(from: source, byteCount: bytes.count) }
        used += bytes.count
        return text
    }

    /// Adds the row whose texts were put since the last one. On a fault the batch is as it was before them.
    package func append(_ row: Row) throws(Fault) {
        precondition(count < capacity, "append to a full batch")
        if let fault = fault ?? Self.check(row) {
            discard()
            throw fault
        }
        (rows + count).initialize(to: row)
        count += 1
        mark = used
    }

    /// Forgets the texts put for a row that will not come.
    package func discard() {
        used = mark
        fault = nil
    }

    package func removeAll() {
        count = 0
        mark = 0
        discard()
    }

    private static func check(_ bytes: UnsafeRawBufferPointer) -> Fault? {
        if bytes.contains(0) { return .zeroByte }
        do {
            _ = try UTF8Span(validating: bytes.bindMemory(to: UInt8.self).span)
            return nil
        } catch {
            return .invalidUTF8
        }
    }

    private static func check(_ row: Row) -> Fault? {
        if row.sourceTopic.isNull || row.user.isNull || row.eventType.isNull || row.decision.isNull {
            return .missingColumn
        }
        if row.model.isNull || row.modelVersion.isNull || row.modelSHA256.isNull { return .missingColumn }
        if !row.uplift.isFinite { return .missingColumn }
        let allowed = 1...UInt32(maxKeyBytes)
        if !allowed.contains(row.sourceTopic.count) || !allowed.contains(row.user.count) { return .keyLength }
        return nil
    }

    private func reserve(_ count: Int) {
        let needed = used + count
        if needed <= arenaCapacity { return }
        precondition(needed < Int(UInt32.max), "a text of more than 2 GiB")
        let grown = max(needed, min(arenaCapacity * 2, byteLimit))
        let new = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
        new.copyMemory(from: arena, byteCount: used)
        arena.deallocate()
        arena = new
        arenaCapacity = grown
    }
}
