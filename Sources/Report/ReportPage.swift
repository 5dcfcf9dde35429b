import Statistics

/// What the pages of all reports have in common: the document, tiles, figures and facts.
package enum ReportPage {
    /// A complete HTML document: no script, no font, no picture from elsewhere.
    ///
    /// - Parameter body: sections, already markup; the other texts are escaped here, `verdict` is markup.
    package static func document(title: String, verdict: String, subtitle: String, tiles: String, body: String)
        -> String
    {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width,initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>\(HTML.escape(title)) · ImpactIQ</title>
        <style>\(ReportStyle.sheet)</style>
        </head>
        <body>
        <main>
        <header>
        <h1>\(HTML.escape(title))</h1>
        <p class="verdict">\(verdict)</p>
        <p class="meta muted">\(HTML.escape(subtitle))</p>
        \(tiles)
        </header>
        \(body)
        </main>
        </body>
        </html>

        """
    }

    /// A verdict whose words before the first bracket are coloured by what the interval says.
    package static func verdict(_ words: String, _ interval: Interval?) -> String {
        guard let interval, let bracket = words.firstIndex(of: "(") else { return HTML.escape(words) }
        let style = interval.lower > 0 ? "good" : interval.upper < 0 ? "bad" : ""
        return "<strong class=\"\(style)\">\(HTML.escape(String(words[..<bracket])))</strong>"
            + HTML.escape(String(words[bracket...]))
    }

    /// A number each, large, with a line below it.
    package static func tiles(_ tiles: [(name: String, value: String, below: String)]) -> String {
        let items = tiles.map {
            "<div><dt>\(HTML.escape($0.name))</dt><dd>\(HTML.escape($0.value))</dd><dd>\(HTML.escape($0.below))</dd></div>"
        }
        return "<dl class=\"tiles\">\n\(items.joined(separator: "\n"))\n</dl>"
    }

    package static func section(_ heading: String, _ content: String) -> String {
        "<section>\n<h2>\(HTML.escape(heading))</h2>\n\(content)\n</section>"
    }

    /// What a reader should know first; nothing when there is nothing.
    package static func notes(_ notes: [String]) -> String {
        guard !notes.isEmpty else { return "" }
        let items = notes.map { "<li>\(HTML.escape($0))</li>" }.joined(separator: "\n")
        return section("Before you believe a number", "<ul class=\"notes\">\n\(items)\n</ul>")
    }

    /// Where the numbers come from; facts that are not known are left out.
    package static func provenance(_ facts: [(name: String, value: String?)]) -> String {
        let items = facts.compactMap { name, value in
            value.map { "<dt>\(HTML.escape(name))</dt><dd>\(HTML.escape($0))</dd>" }
        }
        return section("Where the numbers come from", "<dl class=\"facts\">\n\(items.joined(separator: "\n"))\n</dl>")
    }

    /// A chart with its legend and how to read it.
    package static func figure(_ heading: String, _ legend: String, _ chart: String, _ reading: String) -> String {
        "<figure>\n<h3>\(HTML.escape(heading))</h3>\n\(legend)\n\(chart)\n<figcaption>\(HTML.escape(reading))</figcaption>\n</figure>"
    }

    /// Names the marks of a chart by their style.
    package static func legend(_ entries: [(style: String, words: String)]) -> String {
        let items = entries.map { entry in
            let mark =
                switch entry.style {
                case "band": "<path class=\"band\" d=\"M0 0H22V10H0Z\"/>"
                case "up", "down", "plain":
                    "<rect class=\"\(entry.style)\" x=\"6\" y=\"0\" width=\"10\" height=\"10\" rx=\"2\"/>"
                case "dot": "<circle class=\"dot\" cx=\"11\" cy=\"5\" r=\"4\"/>"
                default: "<path class=\"\(entry.style)\" d=\"M1 5H21\"/>"
                }
            return "<li><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\">\(mark)</svg>\(HTML.escape(entry.words))</li>"
        }
        return "<ul class=\"legend\">\(items.joined())</ul>"
    }

    /// The range that a chart needs for the values, with some room on the sides away from zero.
    package static func padded(_ values: [Double]) -> ClosedRange<Double> {
        let low = values.min() ?? 0
        let high = values.max() ?? 0
        guard high > low else { return (low - 1)...(high + 1) }
        let room = (high - low) * 0.06
        return (low < 0 ? low - room : low)...(high > 0 ? high + room : high)
    }

    /// The label of a round number: `1,200`, `0.25`, `1.5 M`.
    package static func tick(_ value: Double) -> String {
        let size = abs(value)
        if size >= 1e6 { return trimmed(value / 1e6, 2) + " M" }
        if size >= 1000 { return Figure.count(value) }
        return size >= 100 ? trimmed(value, 1) : size >= 0.01 || size == 0 ? trimmed(value, 3) : trimmed(value, 6)
    }

    private static func trimmed(_ value: Double, _ decimals: Int) -> String {
        var text = Figure.fixed(value, decimals)
        while text.contains("."), text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }
}
