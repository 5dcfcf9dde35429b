import Base

/// Reads the numbers people write on command lines and in settings: counts, durations, sizes.
///
/// The messages say what was expected and leave the name of the option to the caller.
package enum Quantity {
    /// A whole number of things: `1000`, `10k`, `1e6`, `2.5M`, `1G`; underscores may group digits.
    package static func count(_ text: String) throws(ImpactError) -> Int {
        let scales: [(String, Double)] = [("k", 1e3), ("K", 1e3), ("M", 1e6), ("G", 1e9), ("", 1)]
        guard let value = scaled(text, scales), value == value.rounded(), value < 0x1p53 else {
            throw wrong("expected a whole number such as 1000, 10k or 1e6")
        }
        return Int(saturating: value)
    }

    /// A duration in milliseconds: `250ms`, `30s`, `5m`, `12h`, `7d`, `2w`. A unit is required, save for 0.
    package static func milliseconds(_ text: String) throws(ImpactError) -> Int64 {
        let scales: [(String, Double)] = [
            ("ms", 1), ("s", 1e3), ("m", 60e3), ("h", 3600e3), ("d", 86400e3), ("w", 7 * 86400e3),
        ]
        if text == "0" { return 0 }
        guard let value = scaled(text, scales), value < 0x1p53 else {
            throw wrong("expected a duration such as 250ms, 30s, 5m, 12h or 7d")
        }
        return Int64(saturating: value.rounded())
    }

    /// A size in bytes: `512`, `64KiB`, `1MiB`, `2GiB`, or in powers of ten `10kB`, `5MB`, `1GB`.
    package static func bytes(_ text: String) throws(ImpactError) -> Int {
        let scales: [(String, Double)] = [
            ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("kB", 1e3), ("KB", 1e3), ("MB", 1e6),
            ("GB", 1e9),
            ("B", 1), ("", 1),
        ]
        guard let value = scaled(text, scales), value < 0x1p53 else {
            throw wrong("expected a size such as 512, 64KiB or 1MiB")
        }
        return Int(saturating: value.rounded())
    }

    /// A finite decimal number.
    package static func number(_ text: String) throws(ImpactError) -> Double {
        guard let value = Double(text), value.isFinite else { throw wrong("expected a number") }
        return value
    }

    /// 64 bits, decimal or hexadecimal with `0x`.
    package static func seed(_ text: String) throws(ImpactError) -> UInt64 {
        let value = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
        guard let value else { throw wrong("expected a whole number from 0 to 2^64 - 1") }
        return value
    }

    /// A number of zero or more followed by one of the units.
    private static func scaled(_ text: String, _ scales: [(unit: String, factor: Double)]) -> Double? {
        for (unit, factor) in scales where text.hasSuffix(unit) {
            let digits = text.dropLast(unit.count).filter { $0 != "_" }
            // Double also reads signs, "inf", "nan" and hexadecimal, which are not quantities.
            guard digits.first?.isNumber == true || digits.first == ".", !digits.contains("x") else { continue }
            guard let value = Double(digits), value.isFinite else { continue }
            return value * factor
        }
        return nil
    }

    private static func wrong(_ message: String) -> ImpactError {
        ImpactError(.usage, code: "invalid_quantity", message)
    }
}
