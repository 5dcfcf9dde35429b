import Foundation
import Statistics

/// A small chart: two axes and marks, as one SVG element that takes its colours from the page's style.
///
/// The view box is 400 wide, so that 12-unit text reads well from a phone to half a desktop page.
package struct SVGChart {
    package static let width = 400.0
    package static let height = 280.0
    private let left: Double
    private let right = 12.0
    private let top = 12.0
    private let bottom = 44.0

    package let x: ClosedRange<Double>
    package let y: ClosedRange<Double>
    private let id: String
    private let title: String
    private let description: String
    private var marks = ""
    private var axes = ""

    /// - Parameters:
    ///   - id: unique on the page.
    ///   - description: what a reader who cannot see the chart should know.
    ///   - leftMargin: room for the labels of the vertical axis.
    package init(
        id: String, title: String, description: String, x: ClosedRange<Double>, y: ClosedRange<Double>,
        leftMargin: Double = 52
    ) {
        self.id = id
        self.title = title
        self.description = description
        self.x = x
        self.y = y
        left = leftMargin
    }

    // MARK: Places

    package func px(_ value: Double) -> Double {
        left + (value - x.lowerBound) / max(x.upperBound - x.lowerBound, .leastNormalMagnitude)
            * (Self.width - left - right)
    }

    package func py(_ value: Double) -> Double {
        Self.height - bottom - (value - y.lowerBound) / max(y.upperBound - y.lowerBound, .leastNormalMagnitude)
            * (Self.height - top - bottom)
    }

    /// Round numbers within the range, about `count` of them.
    package static func ticks(_ range: ClosedRange<Double>, _ count: Int) -> [Double] {
        let span = range.upperBound - range.lowerBound
        guard span > 0, span.isFinite else { return [range.lowerBound] }
        let raw = span / Double(max(count, 1))
        let power = pow(10, log10(raw).rounded(.down))
        let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= raw * 0.999 } ?? raw
        var ticks: [Double] = []
        var next = (range.lowerBound / step).rounded(.up) * step
        while next <= range.upperBound + step * 1e-9 && ticks.count < 50 {
            ticks.append(abs(next) < step * 1e-9 ? 0 : next)
            next += step
        }
        return ticks
    }

    // MARK: Axes

    package mutating func horizontalAxis(_ ticks: [(at: Double, label: String)], title: String) {
        for tick in ticks {
            axes += text(px(tick.at), Self.height - bottom + 17, tick.label, "middle")
        }
        axes += text((left + Self.width - right) / 2, Self.height - 6, title, "middle", "axis-title")
    }

    package mutating func verticalAxis(_ ticks: [(at: Double, label: String)]) {
        for tick in ticks {
            let at = py(tick.at)
            let kind = tick.at == 0 ? "zero" : "grid"
            axes +=
                "<line class=\"\(kind)\" x1=\"\(n(left))\" x2=\"\(n(Self.width - right))\" y1=\"\(n(at))\" y2=\"\(n(at))\"/>"
            axes += text(left - 7, at + 4, tick.label, "end")
        }
    }

    // MARK: Marks

    package mutating func line(_ points: [(x: Double, y: Double)], _ style: String) {
        guard !points.isEmpty else { return }
        marks +=
            "<path class=\"\(style)\" d=\"M" + points.map { "\(n(px($0.x))) \(n(py($0.y)))" }.joined(separator: "L")
            + "\"/>"
    }

    package mutating func band(_ points: [(x: Double, low: Double, high: Double)], _ style: String) {
        guard points.count > 1 else { return }
        let up = points.map { "\(n(px($0.x))) \(n(py($0.high)))" }
        let down = points.reversed().map { "\(n(px($0.x))) \(n(py($0.low)))" }
        marks += "<path class=\"\(style)\" d=\"M" + (up + down).joined(separator: "L") + "Z\"/>"
    }

    package mutating func bar(_ from: Double, _ to: Double, _ value: Double, _ style: String, tip: String) {
        let (a, b) = (py(0), py(value))
        marks +=
            "<rect class=\"\(style)\" x=\"\(n(px(from)))\" width=\"\(n(px(to) - px(from)))\" y=\"\(n(min(a, b)))\" "
            + "height=\"\(n(max(abs(a - b), 0.75)))\" rx=\"2\"><title>\(HTML.escape(tip))</title></rect>"
    }

    package mutating func whisker(_ at: Double, _ interval: Interval) {
        let (x, low, high) = (px(at), py(interval.lower), py(interval.upper))
        marks +=
            "<path class=\"whisker\" d=\"M\(n(x)) \(n(low))V\(n(high))"
            + "M\(n(x - 3.5)) \(n(low))h7M\(n(x - 3.5)) \(n(high))h7\"/>"
    }

    package mutating func dot(_ x: Double, _ y: Double, tip: String) {
        marks +=
            "<circle class=\"dot\" cx=\"\(n(px(x)))\" cy=\"\(n(py(y)))\" r=\"4\"><title>\(HTML.escape(tip))</title></circle>"
    }

    /// A small mark, of thousands.
    package mutating func point(_ x: Double, _ y: Double, style: String) {
        marks += "<circle class=\"\(style)\" cx=\"\(n(px(x)))\" cy=\"\(n(py(y)))\" r=\"2\"/>"
    }

    /// A word inside the chart, at a place in its own units.
    package mutating func note(_ x: Double, _ y: Double, _ words: String, anchor: String, style: String, dy: Double = 0)
    {
        marks += text(px(x), py(y) + dy, words, anchor, style)
    }

    // MARK: Element

    package var element: String {
        let plot =
            "x=\"\(n(left))\" y=\"\(n(top))\" width=\"\(n(Self.width - left - right))\" "
            + "height=\"\(n(Self.height - top - bottom))\""
        return """
            <svg viewBox="0 0 \(n(Self.width)) \(n(Self.height))" role="img" aria-labelledby="\(id)-t \(id)-d">\
            <title id="\(id)-t">\(HTML.escape(title))</title><desc id="\(id)-d">\(HTML.escape(description))</desc>\
            <clipPath id="\(id)-c"><rect \(plot)/></clipPath>\(axes)<g clip-path="url(#\(id)-c)">\(marks)</g></svg>
            """
    }

    private func text(_ x: Double, _ y: Double, _ words: String, _ anchor: String, _ style: String = "tick") -> String {
        "<text class=\"\(style)\" x=\"\(n(x))\" y=\"\(n(y))\" text-anchor=\"\(anchor)\">\(HTML.escape(words))</text>"
    }

    private func n(_ value: Double) -> String {
        let text = Figure.fixed(min(max(value, -9999), 9999), 2).replacing("−", with: "-")
        return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
    }
}
