import Foundation
import Statistics

/// Numbers as a report shows them, in the C locale.
package struct Figure {
    /// Whether effects are shares, shown in percentage points.
    package let percent: Bool
    /// Decimals that effects of this size need.
    private let decimals: Int

    /// Decimals of heights of a curve.
    private let outcomeDecimals: Int

    /// - Parameters:
    ///   - scale: the typical size of an effect, in outcomes.
    ///   - outcomes: the greatest height of a curve.
    package init(binary: Bool, scale: Double, outcomes: Double) {
        percent = binary
        outcomeDecimals = outcomes >= 100 ? 0 : outcomes >= 10 ? 1 : 2
        let size = abs(scale) * (binary ? 100 : 1)
        decimals = size > 0 && size.isFinite ? min(6, max(0, 2 - Int(log10(size).rounded(.down)))) : 2
    }

    /// `+1.52 pp`, or `+0.423`.
    package func effect(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return Figure.fixed(percent ? value * 100 : value, decimals, sign: true) + (percent ? " pp" : "")
    }

    /// The same without unit, for tables whose heading has it.
    package func bare(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return Figure.fixed(percent ? value * 100 : value, decimals, sign: true)
    }

    package func bare(_ interval: Interval?) -> String {
        guard let interval else { return "–" }
        return "\(bare(interval.lower)) to \(bare(interval.upper))"
    }

    package func effect(_ interval: Interval?) -> String {
        guard let interval else { return "–" }
        return "\(bare(interval.lower)) to \(effect(interval.upper))"
    }

    /// A mean outcome: `10.62 %`, or `1.423`.
    package func mean(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return Figure.fixed(percent ? value * 100 : value, decimals) + (percent ? " %" : "")
    }

    /// A height of a curve: `1,234`.
    package func outcomes(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return Figure.grouped(Figure.fixed(value, outcomeDecimals))
    }

    package func outcomes(_ interval: Interval?) -> String {
        interval.map { "\(outcomes($0.lower)) to \(outcomes($0.upper))" } ?? "–"
    }

    /// The distance of two effects: `1.96 pp`.
    package func distance(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return Figure.fixed(percent ? value * 100 : value, decimals) + (percent ? " pp" : "")
    }

    package var unit: String { percent ? "percentage points" : "outcome per person" }

    /// A coefficient without unit: `0.0618`.
    package static func coefficient(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return fixed(value, 4)
    }

    package static func coefficient(_ interval: Interval?) -> String {
        interval.map { "\(fixed($0.lower, 4)) to \(fixed($0.upper, 4))" } ?? "–"
    }

    /// A p-value: `0.034`, `below 0.0001`.
    package static func pValue(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return value < 0.0001 ? "below 0.0001" : fixed(value, value < 0.1 ? 4 : 2)
    }

    /// Any number with three digits that matter: `0.0123`, `12.3`, `1,230`.
    package static func significant(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let size = abs(value)
        guard size > 0 else { return "0" }
        let decimals = min(9, max(0, 2 - Int(log10(size).rounded(.down))))
        var text = fixed(value, decimals)
        while text.contains("."), text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return grouped(text)
    }

    /// A whole number as it is, another one with two decimals: `4`, `6.50`.
    package static func amount(_ value: Double) -> String {
        value == value.rounded() ? count(value) : fixed(value, 2)
    }

    /// A share: `30 %`.
    package static func share(_ value: Double) -> String {
        let percent = value * 100
        return fixed(percent, abs(percent - percent.rounded()) < 0.05 ? 0 : 1) + " %"
    }

    /// A count, or a sum of weights: `12,345`, `123.4`.
    package static func count(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let size = abs(value)
        let text = fixed(value, size >= 100 || value == value.rounded() ? 0 : size >= 10 ? 1 : 2)
        return grouped(text)
    }

    private static func grouped(_ text: String) -> String {
        let digits = text.drop { !$0.isNumber }.prefix { $0.isNumber }
        guard digits.count > 3 else { return text }
        var grouped = ""
        for (place, digit) in digits.enumerated() {
            if place > 0 && (digits.count - place) % 3 == 0 { grouped.append(",") }
            grouped.append(digit)
        }
        return text.replacing(digits, with: grouped, maxReplacements: 1)
    }

    package static func fixed(_ value: Double, _ decimals: Int, sign: Bool = false) -> String {
        if value.isNaN { return "–" }
        let text = String(format: "%.\(decimals)f", locale: Locale(identifier: "en_US_POSIX"), value)
        // Minus zero is zero.
        let isZero = !text.contains { $0 >= "1" && $0 <= "9" }
        let magnitude = isZero || value < 0 ? text.replacing("-", with: "") : text
        if isZero { return magnitude }
        return (value < 0 ? "−" : sign ? "+" : "") + magnitude
    }
}
