import Base
import JSON

/// What a user's data may be used for. A user refuses and allows each purpose by events of type ``eventType``:
///
/// ```json
/// {"user_id": "u-17", "type": "user.consent", "time": …, "properties": {"scoring": false, "storing": true}}
/// ```
public struct Purposes: OptionSet, Sendable, BitwiseCopyable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Scores of the user are made and published.
    public static let scoring = Purposes(rawValue: 1)
    /// The user's events are kept, as features. What is not kept cannot be scored either.
    public static let storing = Purposes(rawValue: 2)

    /// The type of an event that says what its user allows.
    public static let eventType = "user.consent"

    static let all: [(name: String, purpose: Purposes)] = [("scoring", .scoring), ("storing", .storing)]

    /// The purposes' names, for people.
    public var names: [String] { Self.all.filter { contains($0.purpose) }.map(\.name) }
}

extension Event {
    /// Reads what a consent event's properties say; the message was found valid before.
    ///
    /// - Throws: an error of `properties` when no purpose is named, or one is not a truth value.
    mutating func readPurposes(_ message: UnsafeRawBufferPointer, maxDepth: Int) throws(InputError) {
        let properties = InputField(.properties)
        let event: JSONValue
        do throws(ImpactError) {
            event = try JSONValue(parsing: Array(message), name: "event", maxDepth: maxDepth)
        } catch {
            // What the event reader passes over where no feature looks, as a member that is given twice.
            let code = InputErrorCode.allCases.first { $0.name == error.code } ?? .invalidJSON
            throw InputError(code, field: properties)
        }
        for (name, purpose) in Purposes.all {
            guard let value = event["properties"]?[name], value != .null else { continue }
            guard let isAllowed = value.bool else { throw InputError(.fieldType, field: properties) }
            if isAllowed { allows.insert(purpose) } else { refuses.insert(purpose) }
        }
        if allows.isEmpty, refuses.isEmpty { throw InputError(.missingField, field: properties) }
    }
}
