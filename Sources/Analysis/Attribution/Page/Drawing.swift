import Report

/// A picture with places in plain units, as one SVG element; for what is not a chart with two axes of numbers.
struct Drawing {
    /// Tones that stand on a light and on a dark page.
    static let palette = [
        "#3b7ddd", "#e0912f", "#2f9e78", "#b8567f", "#7a67c9", "#4aa3b5", "#a58038", "#c9584a", "#6d8a3c", "#8a8f98",
        "#c2a500",
        "#8f5a3c",
    ]
    static func colour(_ index: Int) -> String { palette[((index % palette.count) + palette.count) % palette.count] }

    let width: Double
    let height: Double
    private let id: String
    private let title: String
    private let description: String
    private var marks = ""

    init(id: String, title: String, description: String, width: Double, height: Double) {
        self.id = id
        self.title = title
        self.description = description
        self.width = width
        self.height = height
    }

    mutating func text(_ x: Double, _ y: Double, _ words: String, anchor: String = "start", limit: Int = 30) {
        let cut = words.count > limit ? words.prefix(limit - 1) + "…" : words[...]
        marks +=
            "<text class=\"tick\" x=\"\(n(x))\" y=\"\(n(y))\" text-anchor=\"\(anchor)\">\(HTML.escape(String(cut)))"
            + (words.count > limit ? "<title>\(HTML.escape(words))</title>" : "") + "</text>"
    }

    mutating func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, colour: String, tip: String) {
        marks +=
            "<rect x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(max(width, 0.5)))\" height=\"\(n(max(height, 0.5)))\" rx=\"2\" "
            + "style=\"fill:\(colour)\"><title>\(HTML.escape(tip))</title></rect>"
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) {
        marks += "<line class=\"grid\" x1=\"\(n(x1))\" y1=\"\(n(y1))\" x2=\"\(n(x2))\" y2=\"\(n(y2))\"/>"
    }

    /// A mark of its own for each number: three shapes, and a colour for each in turn.
    mutating func mark(_ number: Int, _ x: Double, _ y: Double, tip: String) {
        marks +=
            "<path style=\"fill:\(Self.colour(number));stroke:var(--card);stroke-width:1\" d=\"\(Self.shape(number, x, y))\">"
            + "<title>\(HTML.escape(tip))</title></path>"
    }

    private static func shape(_ number: Int, _ x: Double, _ y: Double) -> String {
        switch number % 3 {
        case 0: "M\(n(x - 4.5)) \(n(y))a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z"
        case 1: "M\(n(x - 4)) \(n(y - 4))h8v8h-8Z"
        default: "M\(n(x)) \(n(y - 5.5))L\(n(x + 5.5)) \(n(y))L\(n(x)) \(n(y + 5.5))L\(n(x - 5.5)) \(n(y))Z"
        }
    }

    /// A band that flows from left to right between two heights.
    mutating func flow(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, thickness: Double, colour: String, tip: String
    ) {
        let middle = (x1 + x2) / 2
        marks +=
            "<path style=\"fill:none;stroke:\(colour);stroke-opacity:.38;stroke-linecap:butt;stroke-width:\(n(max(thickness, 0.75)))\" "
            + "d=\"M\(n(x1)) \(n(y1))C\(n(middle)) \(n(y1)) \(n(middle)) \(n(y2)) \(n(x2)) \(n(y2))\">"
            + "<title>\(HTML.escape(tip))</title></path>"
    }

    var element: String {
        """
        <svg viewBox="0 0 \(n(width)) \(n(height))" role="img" aria-labelledby="\(id)-t \(id)-d">\
        <title id="\(id)-t">\(HTML.escape(title))</title><desc id="\(id)-d">\(HTML.escape(description))</desc>\(marks)</svg>
        """
    }

    /// Names ``mark(_:_:_:tip:)``s.
    static func legend(marks: [String]) -> String {
        let items = marks.enumerated().map { number, words in
            "<li><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\"><path style=\"fill:\(colour(number))\" "
                + "d=\"\(shape(number, 11, 5))\"/></svg>\(HTML.escape(words))</li>"
        }
        return "<ul class=\"legend\">\(items.joined())</ul>"
    }

    /// A wide picture, whose words stay readable on a phone: it scrolls there.
    var scrolled: String {
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(HTML.escape(title))\">"
            + "<div style=\"min-width:\(n(width * 0.9))px\">\(element)</div></div>"
    }

    /// Names colours.
    static func legend(_ entries: [(colour: String, words: String)]) -> String {
        let items = entries.map { entry in
            "<li><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\"><rect x=\"6\" y=\"0\" width=\"10\" height=\"10\" rx=\"2\" "
                + "style=\"fill:\(entry.colour)\"/></svg>\(HTML.escape(entry.words))</li>"
        }
        return "<ul class=\"legend\">\(items.joined())</ul>"
    }

    private func n(_ value: Double) -> String { Self.n(value) }

    private static func n(_ value: Double) -> String {
        let text = Figure.fixed(value, 2).replacing("−", with: "-")
        return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
    }
}
