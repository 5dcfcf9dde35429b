/// A header of a record: a name and bytes, or no value.
public struct RecordHeader: Sendable, Equatable {
    /// UTF-8 by the protocol, any bytes but 0 in fact.
    public var nameBytes: [UInt8]
    /// Nil is Kafka's null, which is not the same as an empty value.
    public var value: [UInt8]?

    public init(nameBytes: [UInt8], _ value: [UInt8]?) {
        self.nameBytes = nameBytes
        self.value = value
    }

    public init(_ name: String, _ value: [UInt8]?) { self.init(nameBytes: Array(name.utf8), value) }

    public init(_ name: String, text: String) { self.init(name, Array(text.utf8)) }

    /// The name as a text; bytes that are not UTF-8 are replaced.
    public var name: String { String(decoding: nameBytes, as: UTF8.self) }

    /// The value as a text; nil for null.
    public var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}
