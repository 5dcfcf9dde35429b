/// Text on its way into HTML.
package enum HTML {
    /// Escapes what has a meaning in text and in quoted attributes.
    package static func escape(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            // Control characters have no place in HTML.
            case "\u{00}"..."\u{08}", "\u{0B}", "\u{0C}", "\u{0E}"..."\u{1F}", "\u{7F}"..."\u{9F}": out += "\u{FFFD}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// A table that scrolls sideways where the page is narrow. Cells are escaped here.
    ///
    /// - Parameter numbers: whether each column is aligned right.
    package static func table(_ caption: String, _ columns: [(title: String, isNumber: Bool)], _ rows: [[String]])
        -> String
    {
        // A column of remarks that has none is left out.
        let used = columns.indices.filter { index in
            !columns[index].title.isEmpty || rows.contains { !$0[index].isEmpty }
        }
        let columns = used.map { columns[$0] }
        let rows = rows.map { row in used.map { row[$0] } }
        let heading = columns.map { "<th scope=\"col\"\($0.isNumber ? " class=\"n\"" : "")>\(escape($0.title))</th>" }
        let body = rows.map { row in
            let cells = zip(row, columns).enumerated().map { index, cell in
                let kind = cell.1.isNumber ? " class=\"n\"" : ""
                return index == 0
                    ? "<th scope=\"row\"\(kind)>\(escape(cell.0))</th>" : "<td\(kind)>\(escape(cell.0))</td>"
            }
            return "<tr>\(cells.joined())</tr>"
        }
        let name = escape(caption)
        return """
            <div class="table"><h3>\(name)</h3><div class="scroll" role="region" tabindex="0" aria-label="\(name)">\
            <table aria-label="\(name)"><thead><tr>\(heading.joined())</tr></thead>
            <tbody>
            \(body.joined(separator: "\n"))
            </tbody></table></div></div>
            """
    }
}
