import Report

/// Columns that look as if they came after the outcome: one alone tells who has it, which nothing known beforehand does.
enum ResponseSuspects {
    /// From this ROC AUC on, in either direction, a column alone is suspect.
    static let leastArea = 0.98
    /// A text of fewer training rows says nothing by itself.
    static let leastRows = 20

    static func find(
        _ outcome: (name: String, target: [Float]), _ columns: [ResponseColumn], rows: [Int]
    ) -> [String] {
        columns.compactMap { column in
            let known = rows.filter { !column.values[$0].isNaN }
            // Whether there is a value at all can tell the outcome, too: a delivery date.
            let presence = area(rows.map { column.values[$0].isNaN ? 0 : 1 }, rows, outcome.target)
            let value = area(strength(column, known, outcome.target), known, outcome.target)
            let best = max(presence, known.count * 2 >= rows.count ? value : 0)
            guard best >= leastArea else { return nil }
            return
                "'\(column.name)' alone tells who has '\(outcome.name)' (ROC AUC \(Figure.fixed(best, 3)) on the training "
                + "rows): does it come after the outcome? Leave it out with --ignore \(column.name)."
        }
    }

    /// Numbers as they are; texts by how many of their rows have the outcome.
    private static func strength(_ column: ResponseColumn, _ rows: [Int], _ target: [Float]) -> [Double] {
        guard column.levels != nil else { return rows.map { Double(column.values[$0]) } }
        var counts: [Float: (rows: Double, hits: Double)] = [:]
        for row in rows {
            counts[column.values[row], default: (0, 0)].rows += 1
            counts[column.values[row], default: (0, 0)].hits += target[row] > 0 ? 1 : 0
        }
        let mean = rows.isEmpty ? 0 : counts.values.reduce(0) { $0 + $1.hits } / Double(rows.count)
        return rows.map { row in
            guard let own = counts[column.values[row]], own.rows >= Double(leastRows) else { return mean }
            return own.hits / own.rows
        }
    }

    private static func area(_ score: [Double], _ rows: [Int], _ target: [Float]) -> Double {
        let found = ScoredRows(probability: score, isPositive: rows.map { target[$0] > 0 }).metrics(threshold: 0.5)
            .rocAUC
        return found.isFinite ? max(found, 1 - found) : 0
    }
}
