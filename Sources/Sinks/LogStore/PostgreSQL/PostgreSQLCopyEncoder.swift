/// Rows in PostgreSQL's binary COPY format: big-endian, each field with its length in front, −1 for NULL
/// (https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format").
///
/// One buffer, used again for every piece.
final class PostgreSQLCopyEncoder {
    /// Pieces are sent when they reach this size.
    private static let pieceBytes = 1 << 17

    private var bytes: UnsafeMutableRawPointer
    private var capacity = 2 * PostgreSQLCopyEncoder.pieceBytes
    private var count = 0

    init() { bytes = .allocate(byteCount: capacity, alignment: 16) }

    deinit { bytes.deallocate() }

    /// Encodes all rows, and gives the pieces to `send` in order.
    func encode(
        _ rows: ScoreRows, _ send: (UnsafeRawBufferPointer) throws(PostgreSQLError) -> Void
    ) throws(PostgreSQLError) {
        count = 0
        for byte in "PGCOPY\n".utf8 { append(byte) }
        for byte in [0xFF, 0x0D, 0x0A, 0x00] as [UInt8] { append(byte) }
        append(UInt32(0))
        append(UInt32(0))
        for i in 0..<rows.count {
            append(rows[i], rows)
            if count >= Self.pieceBytes {
                try send(UnsafeRawBufferPointer(start: bytes, count: count))
                count = 0
            }
        }
        append(Int16(-1))
        try send(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    private func append(_ row: ScoreRows.Row, _ rows: ScoreRows) {
        append(Int16(ScoresTable.columns.count))
        append(rows.bytes(row.sourceTopic))
        append(field: row.sourcePartition)
        append(field: row.sourceOffset)
        append(rows.bytes(row.user))
        append(field: row.time)
        append(rows.bytes(row.eventType))
        append(rows.bytes(row.treatment))
        append(rows.bytes(row.outcome))
        append(field: row.uplift)
        append(field: row.standardError)
        append(field: row.lower)
        append(field: row.upper)
        append(field: row.level)
        append(rows.bytes(row.decision))
        append(rows.bytes(row.model))
        append(rows.bytes(row.modelVersion))
        append(rows.bytes(row.modelSHA256))
        append(rows.bytes(row.effects))
    }

    private func append(field value: some FixedWidthInteger & BitwiseCopyable) {
        append(Int32(value.bitWidth / 8))
        append(value)
    }

    private func append(field value: Double) {
        if value.isNaN { return append(Int32(-1)) }
        append(Int32(8))
        append(value.bitPattern)
    }

    private func append(_ text: UnsafeRawBufferPointer?) {
        guard let text else { return append(Int32(-1)) }
        append(Int32(text.count))
        reserve(text.count)
        if let source = text.baseAddress { (bytes + count).copyMemory(from: source, byteCount: text.count) }
        count += text.count
    }

    private func append<Integer: FixedWidthInteger & BitwiseCopyable>(_ value: Integer) {
        reserve(MemoryLayout<Integer>.size)
        (bytes + count).storeBytes(of: value.bigEndian, as: Integer.self)
        count += MemoryLayout<Integer>.size
    }

    private func reserve(_ more: Int) {
        if count + more <= capacity { return }
        let grown = max(capacity * 2, count + more)
        let new = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
        new.copyMemory(from: bytes, byteCount: count)
        bytes.deallocate()
        bytes = new
        capacity = grown
    }
}
