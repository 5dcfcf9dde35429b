import Base

extension JSONValue {
    /// The document as canonical JSON: no whitespace, members sorted by the bytes of their names, numbers in their
    /// shortest exact form. Equal documents have equal bytes, so a hash of them is a fingerprint.
    public var canonicalBytes: [UInt8] {
        let buffer = ByteBuffer()
        write(to: buffer)
        return Array(buffer.bytes)
    }

    private func write(to buffer: ByteBuffer) {
        switch self {
        case .null: buffer.append("null")
        case .bool(let value): buffer.append(value ? "true" : "false")
        case .number(let value):
            if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 {
                buffer.append(whole)
            } else {
                buffer.append(value)
            }
        case .string(let text): buffer.appendJSONString(text)
        case .array(let values):
            buffer.append("[")
            for (i, value) in values.enumerated() {
                if i > 0 { buffer.append(",") }
                value.write(to: buffer)
            }
            buffer.append("]")
        case .object(let members):
            buffer.append("{")
            let sorted = members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            for (i, member) in sorted.enumerated() {
                if i > 0 { buffer.append(",") }
                buffer.appendJSONString(member.name)
                buffer.append(":")
                member.value.write(to: buffer)
            }
            buffer.append("}")
        }
    }
}
