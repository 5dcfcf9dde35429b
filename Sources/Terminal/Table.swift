import Base

/// Rows of text in aligned columns, for people; machines read `--json`.
package struct Table {
    /// How a column's cells stand.
    package enum Alignment: Sendable { case left, right }

    /// A column's heading and alignment.
    package struct Column: Sendable {
        package var title: String
        package var alignment: Alignment

        /// Text, aligned left.
        package static func text(_ title: String) -> Column { Column(title: title, alignment: .left) }
        /// Numbers, aligned right.
        package static func number(_ title: String) -> Column { Column(title: title, alignment: .right) }
    }

    package let columns: [Column]
    package private(set) var rows: [[String]] = []

    package init(_ columns: Column...) { self.columns = columns }
    package init(columns: [Column]) { self.columns = columns }

    /// Adds a row; cells that are missing are empty, cells beyond the last column are dropped, control characters are
    /// escaped.
    package mutating func add(_ cells: String...) { add(cells) }
    package mutating func add(_ cells: [String]) {
        rows.append(columns.indices.map { $0 < cells.count ? cells[$0].printable() : "" })
    }

    /// The lines, heading first, two spaces between columns, without spaces at the end of a line.
    ///
    /// - Parameter width: the columns per line may take; the widest text columns are cut to fit. nil cuts nothing.
    package func lines(width limit: Int? = nil) -> [String] {
        var widths = columns.indices.map { i in
            max(TextLayout.width(columns[i].title), rows.map { TextLayout.width($0[i]) }.max() ?? 0)
        }
        if let limit { shrink(&widths, to: limit) }
        return ([columns.map(\.title)] + rows).map { cells in
            var line = ""
            for (i, cell) in cells.enumerated() {
                let cut = TextLayout.truncate(cell, to: widths[i])
                if i > 0 { line += "  " }
                line += columns[i].alignment == .left ? cut.padding(to: widths[i]) : cut.padding(leftTo: widths[i])
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// All lines as one text that ends with a line break.
    package func text(width: Int? = nil) -> String { lines(width: width).joined(separator: "\n") + "\n" }

    private func shrink(_ widths: inout [Int], to limit: Int) {
        var excess = widths.reduce(0, +) + 2 * (widths.count - 1) - limit
        while excess > 0 {
            let texts = columns.indices.filter { columns[$0].alignment == .left && widths[$0] > 8 }
            guard let widest = texts.max(by: { widths[$0] < widths[$1] }) else { return }
            widths[widest] -= 1
            excess -= 1
        }
    }
}
