import Base

/// A JSON document in memory, for small files: feature specifications, metadata, provenance. Not for the hot path.
///
/// Objects keep the order of their members; duplicate names are refused.
public indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// A member of an object.
    public struct Member: Sendable, Equatable {
        public var name: String
        public var value: JSONValue

        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// The value of the member with this name; nil when there is none or this is not an object.
    public subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    public var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    public var number: Double? {
        guard case .number(let value) = self else { return nil }
        return value
    }

    public var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    public var array: [JSONValue]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    public var members: [Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// What kind of value this is, for error messages.
    public var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue {
    /// Reads one document.
    ///
    /// - Parameters:
    ///   - name: what the text is called in errors, a file's path.
    ///   - maxBytes: larger texts are refused.
    /// - Throws: `badInput` with the line and column.
    public init(parsing bytes: [UInt8], name: String, maxBytes: Int = 16 << 20, maxDepth: Int = 32) throws(ImpactError)
    {
        guard bytes.count <= maxBytes else {
            throw ImpactError(
                .badInput, code: "json_too_large", "\(name): \(bytes.count) bytes; at most \(maxBytes) are read")
        }
        let result: Result<JSONValue, InputError> = bytes.withUnsafeBytes { buffer in
            var parser = JSONValueParser(JSONScanner(buffer, maxDepth: maxDepth))
            do throws(InputError) { return .success(try parser.document()) } catch { return .failure(error) }
        }
        switch result {
        case .success(let value): self = value
        case .failure(let error): throw Self.located(error, in: bytes, name: name)
        }
    }

    private static func located(_ error: InputError, in bytes: [UInt8], name: String) -> ImpactError {
        let before = bytes.prefix(max(0, Int(error.position)))
        let line = before.count { $0 == 0x0A } + 1
        let column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        let what = error.code == .duplicateField ? "a member's name is given twice" : error.code.explanation
        return ImpactError(.badInput, code: error.code.name, "\(name):\(line):\(column): \(what)")
    }
}

/// Builds a ``JSONValue`` with the scanner's primitives.
private struct JSONValueParser {
    private var scanner: JSONScanner
    private let scratch = ByteBuffer(capacity: 256)

    public init(_ scanner: JSONScanner) { self.scanner = scanner }

    public mutating func document() throws(InputError) -> JSONValue {
        let value = try value(depth: 0)
        try scanner.expectEnd()
        return value
    }

    private mutating func value(depth: Int) throws(InputError) -> JSONValue {
        scanner.skipWhitespace()
        switch scanner.current {
        case 0x7B: return try object(depth: depth + 1)
        case 0x5B: return try array(depth: depth + 1)
        case 0x22: return .string(text(try scanner.scanString()))
        case 0x74:
            try scanner.scan(.true)
            return .bool(true)
        case 0x66:
            try scanner.scan(.false)
            return .bool(false)
        case 0x6E:
            try scanner.scan(.null)
            return .null
        default:
            let number = try scanner.scanNumber()
            return .number(try scanner.double(number))
        }
    }

    private mutating func object(depth: Int) throws(InputError) -> JSONValue {
        guard depth <= scanner.maxDepth else { throw scanner.fault(.nestingTooDeep) }
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        var more = try scanner.enterObject()
        while more {
            let scanned = try scanner.scanName()
            let name = text(scanned)
            guard names.insert(name).inserted else { throw InputError(.duplicateField, position: scanned.start) }
            members.append(JSONValue.Member(name, try value(depth: depth)))
            more = try scanner.nextMember()
        }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(InputError) -> JSONValue {
        guard depth <= scanner.maxDepth else { throw scanner.fault(.nestingTooDeep) }
        try scanner.expect(0x5B)
        scanner.skipWhitespace()
        var values: [JSONValue] = []
        if scanner.current == 0x5D {
            scanner.position += 1
            return .array(values)
        }
        while true {
            values.append(try value(depth: depth))
            scanner.skipWhitespace()
            if scanner.current == 0x5D {
                scanner.position += 1
                return .array(values)
            }
            try scanner.expect(0x2C)
        }
    }

    private func text(_ scanned: JSONScanner.Text) -> String {
        scratch.removeAll()
        scanner.decode(scanned, into: scratch)
        return String(decoding: scratch.bytes, as: UTF8.self)
    }
}
