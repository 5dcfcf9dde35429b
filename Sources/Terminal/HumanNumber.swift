import Base
import Foundation

/// Numbers as people read them: three digits and a unit.
package enum HumanNumber {
    /// `0`, `950`, `12.3 k`, `1.25 M`.
    package static func short(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let units = ["", " k", " M", " G", " T"]
        var scaled = value
        var unit = 0
        while abs(scaled) >= 999.5, unit < units.count - 1 {
            scaled /= 1000
            unit += 1
        }
        return (unit == 0 && scaled == scaled.rounded() ? String(Int(saturating: scaled)) : threeDigits(scaled))
            + units[unit]
    }

    /// `12.3 k/s`.
    package static func rate(_ perSecond: Double) -> String {
        let text = short(perSecond)
        return text.contains(" ") ? "\(text)/s" : "\(text) /s"
    }

    /// Every digit, in groups of three: `1,234,567`.
    package static func grouped(_ value: Int) -> String {
        let digits = String(value.magnitude)
        var result = ""
        for (i, digit) in digits.enumerated() {
            if i > 0, (digits.count - i) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return value < 0 ? "-\(result)" : result
    }

    /// A short time: `850 ns`, `4.5 µs`, `4.5 ms`, `12.3 s`.
    package static func latency(milliseconds: Double) -> String {
        guard milliseconds.isFinite else { return "–" }
        if milliseconds >= 999.5 { return "\(threeDigits(milliseconds / 1000)) s" }
        if milliseconds >= 0.9995 || milliseconds == 0 { return "\(threeDigits(milliseconds)) ms" }
        if milliseconds >= 0.000_999_5 { return "\(threeDigits(milliseconds * 1e3)) µs" }
        return "\(threeDigits(milliseconds * 1e6)) ns"
    }

    /// A span of time in whole seconds: `8 s`, `1 m 12 s`, `2 h 5 m`, `3 d 4 h`.
    package static func span(seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e12 else { return "–" }
        let whole = Int(saturating: seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) m \(whole % 60) s" }
        if whole < 86400 { return "\(whole / 3600) h \(whole % 3600 / 60) m" }
        return "\(whole / 86400) d \(whole % 86400 / 3600) h"
    }

    /// A size in powers of 1024: `512 B`, `64.0 KiB`, `1.50 MiB`.
    package static func bytes(_ count: Int) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var scaled = Double(count)
        var unit = 0
        while abs(scaled) >= 1023.5, unit < units.count - 1 {
            scaled /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\(threeDigits(scaled)) \(units[unit])"
    }

    /// A fixed number of decimals.
    package static func decimals(_ value: Double, _ places: Int) -> String {
        value.isFinite ? String(format: "%.\(places)f", value) : "–"
    }

    private static func threeDigits(_ value: Double) -> String {
        let size = abs(value)
        return String(format: size < 9.995 ? "%.2f" : size < 99.95 ? "%.1f" : "%.0f", value)
    }
}
