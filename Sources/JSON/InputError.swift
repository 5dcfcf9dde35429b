/// Why a piece of input was rejected: the kind, the field and the byte. Trivial, so that rejecting allocates nothing.
///
/// JSON's own kinds and those of events stand in one list, since each is a code of the dead letter.
public struct InputError: Error, Sendable, Equatable, BitwiseCopyable {
    public var code: InputErrorCode
    public var field: InputField
    /// The byte of the message at which it was noticed; −1 when it concerns the whole message.
    public var position: Int32

    public init(_ code: InputErrorCode, field: InputField = .none, position: Int = -1) {
        self.code = code
        self.field = field
        self.position = Int32(clamping: position)
    }
}

/// Which field an error concerns: one of the contract's, or one that the schema names.
public struct InputField: RawRepresentable, Sendable, Equatable, BitwiseCopyable {
    public var rawValue: Int16

    public init(rawValue: Int16) { self.rawValue = rawValue }

    public static let none = InputField(rawValue: -1)
    public static let key = InputField(rawValue: -2)

    /// The field of `schema.fields[index]`.
    public static func schemaField(_ index: Int) -> InputField { InputField(rawValue: Int16(clamping: 1_000 + index)) }

    /// The feature at this place of the model's row; its name is the caller's to tell.
    public static func feature(_ index: Int) -> InputField { InputField(rawValue: Int16(clamping: 10_000 + index)) }

    /// The place of a feature, when the error concerns one.
    public var featureIndex: Int? { rawValue >= 10_000 ? Int(rawValue) - 10_000 : nil }
}

/// The kinds of invalid input; `name` is the stable code of the dead letter's `impactiq.error.code`.
public enum InputErrorCode: UInt8, Sendable, Equatable, BitwiseCopyable, CaseIterable {
    case nullMessage, emptyMessage, messageTooLarge
    case invalidJSON, invalidUTF8, nestingTooDeep, notAnObject
    case duplicateField, missingField, fieldType, numberOutOfRange
    case userIDEmpty, userIDTooLong, textTooLong
    case invalidTime, timeOutOfRange, timeInFuture, timeTooOld, propensityOutOfRange
    case keyMismatch, missingFeature, poison, unreadableState

    /// snake_case, stable.
    public var name: String {
        switch self {
        case .nullMessage: "null_message"
        case .emptyMessage: "empty_message"
        case .messageTooLarge: "message_too_large"
        case .invalidJSON: "invalid_json"
        case .invalidUTF8: "invalid_utf8"
        case .nestingTooDeep: "nesting_too_deep"
        case .notAnObject: "not_an_object"
        case .duplicateField: "duplicate_field"
        case .missingField: "missing_field"
        case .fieldType: "field_type"
        case .numberOutOfRange: "number_out_of_range"
        case .userIDEmpty: "user_id_empty"
        case .userIDTooLong: "user_id_too_long"
        case .textTooLong: "text_too_long"
        case .invalidTime: "invalid_time"
        case .timeOutOfRange: "time_out_of_range"
        case .timeInFuture: "time_in_future"
        case .timeTooOld: "time_too_old"
        case .propensityOutOfRange: "propensity_out_of_range"
        case .keyMismatch: "key_mismatch"
        case .missingFeature: "missing_feature"
        case .poison: "poison"
        case .unreadableState: "unreadable_state"
        }
    }

    public var explanation: String {
        switch self {
        case .nullMessage: "the message has no value (a tombstone); an event is a JSON object"
        case .emptyMessage: "the message is empty; an event is a JSON object"
        case .messageTooLarge: "the message is larger than message.max.bytes"
        case .invalidJSON: "not valid JSON (RFC 8259)"
        case .invalidUTF8: "not valid UTF-8, or a lone surrogate"
        case .nestingTooDeep: "nested too deep"
        case .notAnObject: "must be a JSON object"
        case .duplicateField: "given twice"
        case .missingField: "required, but missing or null"
        case .fieldType: "has a JSON type that the field does not take"
        case .numberOutOfRange: "the number does not fit"
        case .userIDEmpty: "must not be empty"
        case .userIDTooLong: "longer than 256 bytes"
        case .textTooLong: "longer than 256 bytes"
        case .invalidTime: "neither RFC 3339 with a zone nor whole milliseconds since 1970"
        case .timeOutOfRange: "must lie in the years 1970 to 2199"
        case .timeInFuture: "lies further after the record's timestamp than event.time.max.ahead.ms allows"
        case .timeTooOld:
            "lies further before the record's timestamp than event.time.max.behind.ms allows; a whole number counts "
                + "milliseconds since 1970, not seconds"
        case .propensityOutOfRange: "must be above 0 and at most 1"
        case .keyMismatch: "must be the user_id (input.key=any accepts other keys)"
        case .missingFeature: "has no value for this user, and the model refuses missing values"
        case .poison: "the process died twice while it handled this message"
        case .unreadableState: "the changelog's record of this user cannot be read"
        }
    }
}

extension InputError {
    /// The same error, naming the field unless one inside it is named already.
    public func concerning(_ field: InputField) -> InputError {
        guard self.field == .none else { return self }
        var error = self
        error.field = field
        return error
    }
}
