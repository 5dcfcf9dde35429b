/// A header of a record: a name and bytes, or no value.
package struct RecordHeader: Sendable, Equatable {
    /// UTF-8 by the protocol, any bytes but 0 in fact.
    package var nameBytes: [UInt8]
    /// Nil is Kafka's null, which is not the same as an empty value.
    package var value: [UInt8]?

    package init(nameBytes: [UInt8], _ value: [UInt8]?) {
        self.nameBytes = nameBytes
        self.value = value
    }

    package init(_ name: String, _ value: [UInt8]?) { self.init(nameBytes: Array(name.utf8), value) }

    package init(_ name: String, text: String) { self.init(name, Array(text.utf8)) }

    /// The name as a text; bytes that are not UTF-8 are replaced.
    package var name: String { String(decoding: nameBytes, as: UTF8.self) }

    /// The value as a text; nil for null.
    package var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}
