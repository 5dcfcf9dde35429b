extension StringProtocol {
    /// The text as it may stand on a terminal and in a log: control characters, which could move the cursor, colour what
    /// follows or forge a line, and characters that turn the direction of writing become `\u{1b}`.
    ///
    /// - Parameter keepsLines: leaves line feeds as they are.
    public func printable(keepsLines: Bool = false) -> String {
        guard unicodeScalars.contains(where: { Self.isUnprintable($0, keepsLines) }) else { return String(self) }
        var result = ""
        for scalar in unicodeScalars {
            if Self.isUnprintable(scalar, keepsLines) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isUnprintable(_ scalar: Unicode.Scalar, _ keepsLines: Bool) -> Bool {
        scalar.isUnprintable && !(keepsLines && scalar == "\n")
    }
}

extension Unicode.Scalar {
    /// Whether it could move the cursor, colour what follows, forge a line, or turn the direction of writing.
    public var isUnprintable: Bool {
        switch value {
        // C0, DEL and C1.
        case 0..<0x20, 0x7F..<0xA0: true
        // Line and paragraph separators, marks and overrides of direction.
        case 0x2028, 0x2029, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x061C: true
        default: false
        }
    }
}
