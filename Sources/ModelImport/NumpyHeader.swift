/// What stands at the start of a .npy file: the type and the shape of the array that follows.
///
/// Source: NEP 1, "A Simple File Format for NumPy Arrays", versions 1.0–3.0. Only what a forest needs is read:
/// little-endian integers and floats, C order, at most four dimensions.
package struct NumpyHeader: Equatable {
    package enum Element: String, CaseIterable {
        case uint8 = "|u1"
        case int32 = "<i4"
        case int64 = "<i8"
        case float32 = "<f4"
        case float64 = "<f8"

        package var size: Int {
            switch self {
            case .uint8: 1
            case .int32, .float32: 4
            case .int64, .float64: 8
            }
        }
    }

    package var element: Element
    package var shape: [Int]

    /// Elements of the array; the parser has checked that their bytes can be counted.
    package var count: Int { shape.reduce(1, *) }

    /// Why bytes are not a header that can be read.
    package struct Refusal: Error {
        package var reason: String
    }

    static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
    /// Bytes that are there in every version: magic, version, the first two bytes of the length.
    static let fixedBytes = 10
    /// numpy itself refuses longer ones.
    static let maximumBytes = 10_000

    /// The bytes of the dictionary text, and how many more bytes (0 or 2) of its length follow the fixed ones.
    static func lengthBytes(version: UInt8) throws(Refusal) -> Int {
        switch version {
        case 1: return 0
        case 2, 3: return 2
        default: throw Refusal(reason: "version \(version) of the .npy format is not known")
        }
    }

    /// Parses `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
    package init(dictionary bytes: [UInt8]) throws(Refusal) {
        var cursor = NumpyHeaderCursor(bytes: bytes)
        var element: Element?
        var shape: [Int]?
        var rowMajor: Bool?
        try cursor.expect("{")
        while !cursor.take("}") {
            let key = try cursor.text()
            try cursor.expect(":")
            switch key {
            case "descr":
                let name = try cursor.text()
                // numpy writes `|u1`; `<u1` means the same.
                guard let known = Element(rawValue: name == "<u1" ? "|u1" : name) else {
                    throw Refusal(
                        reason: "its type is \(name); expected one of "
                            + Element.allCases.map(\.rawValue).joined(separator: " "))
                }
                element = known
            case "fortran_order":
                rowMajor = !(try cursor.boolean())
            case "shape":
                shape = try cursor.tuple()
            default:
                throw Refusal(reason: "its header has the unknown key '\(key)'")
            }
            if !cursor.take(",") {
                try cursor.expect("}")
                break
            }
        }
        try cursor.expectEnd()
        guard let element, let shape, let rowMajor else {
            throw Refusal(reason: "its header lacks descr, fortran_order or shape")
        }
        // Order means nothing to an array of one dimension.
        guard rowMajor || shape.count < 2 else {
            throw Refusal(reason: "it is in Fortran order; write it with numpy.ascontiguousarray")
        }
        var bytes = element.size
        for extent in shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw Refusal(reason: "its shape \(shape) has more elements than can be counted") }
            bytes = product
        }
        self.element = element
        self.shape = shape
    }
}

/// Reads the Python literals of a .npy header.
struct NumpyHeaderCursor {
    let bytes: [UInt8]
    private var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A { at += 1 }
    }

    mutating func take(_ character: Character) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == character.asciiValue else { return false }
        at += 1
        return true
    }

    mutating func expect(_ character: Character) throws(NumpyHeader.Refusal) {
        if !take(character) { throw .init(reason: "its header has no '\(character)' at byte \(at)") }
    }

    mutating func expectEnd() throws(NumpyHeader.Refusal) {
        skipSpace()
        if at != bytes.count { throw .init(reason: "its header goes on after its end at byte \(at)") }
    }

    mutating func text() throws(NumpyHeader.Refusal) -> String {
        skipSpace()
        guard at < bytes.count, bytes[at] == 0x27 || bytes[at] == 0x22 else {
            throw .init(reason: "its header has no quoted text at byte \(at) (structured arrays are not read)")
        }
        let quote = bytes[at]
        at += 1
        let start = at
        while at < bytes.count, bytes[at] != quote { at += 1 }
        guard at < bytes.count, at - start <= 64 else { throw .init(reason: "its header has text without an end") }
        defer { at += 1 }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    mutating func boolean() throws(NumpyHeader.Refusal) -> Bool {
        skipSpace()
        for (word, value) in [("True", true), ("False", false)] where bytes[at...].starts(with: Array(word.utf8)) {
            at += word.utf8.count
            return value
        }
        throw .init(reason: "its header has neither True nor False at byte \(at)")
    }

    private mutating func integer() throws(NumpyHeader.Refusal) -> Int {
        skipSpace()
        var value = 0
        let start = at
        while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 {
            guard at - start < 18 else { throw .init(reason: "its shape has a number that is too large") }
            value = value * 10 + Int(bytes[at] - 0x30)
            at += 1
        }
        guard at > start else { throw .init(reason: "its header has no number at byte \(at)") }
        return value
    }

    mutating func tuple() throws(NumpyHeader.Refusal) -> [Int] {
        try expect("(")
        var values: [Int] = []
        while !take(")") {
            guard values.count < 4 else { throw .init(reason: "it has more than four dimensions") }
            values.append(try integer())
            if !take(",") {
                try expect(")")
                break
            }
        }
        return values
    }
}
