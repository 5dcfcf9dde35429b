import Base
import Terminal

/// A benchmark's rows over its rounds. The first row is the baseline: the machine drifts, ratios within a round hold.
struct RoundTable {
    let benchmark: String
    /// What was run, for the reader of a result file.
    let conditions: String
    let unit: String
    private(set) var rows: [Measurement]
    private var hasBaseline = true

    /// One row's name, bar and how it is measured.
    struct Row {
        let name: String
        var bar: Measurement.Bar?
        let measure: () throws -> Double
    }

    /// Runs all rows in turn, `rounds` times after `warmUp` rounds that do not count.
    static func run(
        _ benchmark: String, conditions: String, unit: String, _ rows: [Row], warmUp: Int, rounds: Int
    ) throws -> RoundTable {
        var table = RoundTable(
            benchmark: benchmark, conditions: conditions, unit: unit,
            rows: rows.map { Measurement($0.name, bar: $0.bar) })
        let progress = ProgressLine(benchmark, total: (warmUp + rounds) * rows.count, unit: "runs")
        for round in 0..<warmUp + rounds {
            var values: [Double] = []
            for (i, row) in rows.enumerated() {
                values.append(try row.measure())
                progress.update(round * rows.count + i + 1)
            }
            if round < warmUp { continue }
            for i in rows.indices { table.rows[i].add(values[i], baseline: values[0]) }
        }
        progress.finish((warmUp + rounds) * rows.count)
        return table
    }

    /// A row at a time, for rows that are measured together: each value is its own baseline.
    init(
        _ benchmark: String, conditions: String, unit: String, _ rows: [Measurement], hasBaseline: Bool = false
    ) {
        self.init(benchmark: benchmark, conditions: conditions, unit: unit, rows: rows)
        self.hasBaseline = hasBaseline
    }

    private init(benchmark: String, conditions: String, unit: String, rows: [Measurement]) {
        self.benchmark = benchmark
        self.conditions = conditions
        self.unit = unit
        self.rows = rows
    }

    /// - Parameter earlier: rows of an earlier result, to compare with.
    func text(against earlier: EarlierResult?) -> String {
        var columns: [Table.Column] = [.text("row"), .number(unit)]
        if hasBaseline { columns.append(.number("ratio")) }
        columns += [.number("range"), .number("bar"), .text("met")]
        if let earlier { columns.append(.text("against \(earlier.path)")) }
        var table = Table(columns: columns)
        for row in rows {
            let decimals = hasBaseline ? 3 : 1
            var cells = [row.name]
            cells.append(hasBaseline ? HumanNumber.short(row.value) : HumanNumber.decimals(row.value, decimals))
            if hasBaseline { cells.append(HumanNumber.decimals(row.ratio, decimals)) }
            cells.append("\(HumanNumber.decimals(row.least, decimals))–\(HumanNumber.decimals(row.greatest, decimals))")
            cells += [row.bar?.text(2) ?? "", row.bar.map { $0.isMet(by: row.ratio) ? "yes" : "no" } ?? ""]
            if let earlier { cells.append(earlier.verdict(on: row)) }
            table.add(cells)
        }
        return "\(conditions)\n\(table.text())"
    }

    var json: JSONOutput {
        [
            "benchmark": .text(benchmark), "conditions": .text(conditions), "unit": .text(unit),
            "rows": .array(rows.map(\.json)),
        ]
    }
}
