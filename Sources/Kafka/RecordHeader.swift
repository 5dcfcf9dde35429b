/// A header of a record: a name and bytes, or no value.
public struct RecordHeader: Sendable, Equatable {
    public var name: String
    /// Nil is Kafka's null, which is not the same as an empty value.
    public var value: [UInt8]?

    public init(_ name: String, _ value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    public init(_ name: String, text: String) { self.init(name, Array(text.utf8)) }
}
