/// The value of one field of an event, without its text: a number, a truth value, or the hash of a text.
///
/// 16 bytes, trivially copyable, so that a batch of events is one flat array.
public struct FieldValue: Sendable, Equatable, BitwiseCopyable {
    /// What the field held.
    public enum Kind: UInt8, Sendable, BitwiseCopyable {
        // The numbers are part of stored state: of its fingerprint and of the values of `distinct`.
        case missing = 0
        case number = 1
        case text = 2
        case bool = 3
    }

    public var kind: Kind
    /// A number's bit pattern, 0 or 1 of a truth value, the ``StableHash`` of a text's UTF-8 bytes.
    public var payload: UInt64

    /// From this magnitude on a double has no place for every integer: 2⁵³.
    public static let firstInexactInteger: UInt64 = 1 << 53

    public static let missing = FieldValue(kind: .missing, payload: 0)

    public init(kind: Kind, payload: UInt64) {
        self.kind = kind
        self.payload = payload
    }

    public init(_ number: Double) { self.init(kind: .number, payload: number.bitPattern) }
    public init(_ truth: Bool) { self.init(kind: .bool, payload: truth ? 1 : 0) }
    public init(textHash: UInt64) { self.init(kind: .text, payload: textHash) }

    /// The number, 0 or 1 of a truth value; NaN for a text or a missing field.
    @inlinable public var number: Double {
        switch kind {
        case .number: Double(bitPattern: payload)
        case .bool: Double(payload)
        case .missing, .text: .nan
        }
    }
}
