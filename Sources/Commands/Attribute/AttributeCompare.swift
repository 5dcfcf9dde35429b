import Attribution
import AttributionStore
import Base
import Foundation
import Report
import Terminal

/// `impactiq attribute compare`: models side by side.
enum AttributeCompare: Command {
    static let specification = CommandSpecification(
        "compare", "Several models side by side, with where they disagree and why",
        discussion: """
            Prints the credit of each channel by each model. A row below names what the Markov and Shapley methods state as \
            their own totals, and, with --scores, the incremental conversions of each channel with a 95 % interval. Nothing is \
            written.
            """,
        options: AttributeOptions.source + [
            .value("model", "MODEL", "A model to show; default: all that the source allows", repeated: true),
            .value("csv", "FILE", "Also write the table as CSV; - is standard output"),
            .flag("json", "Print one JSON object"),
        ] + AttributeOptions.models,
        examples: [
            .init("impactiq attribute compare --source sqlite:challenge.db", "all models"),
            .init(
                "impactiq attribute compare --source paths:journeys.csv --model markov --model shapley",
                "paths as R and Python users have them"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let options = try AttributeOptions.modelOptions(command)
        var kinds: [ModelKind] = []
        for name in command.texts("model") { kinds.append(try ModelKind(named: name)) }
        if command.name == "attribute run", !command.isGiven("model") { kinds = [.markov] }
        var notes: [String] = []
        let comparison: ModelComparison
        if let path = AttributeInput.paths(command) {
            let progress = ProgressLine("read", unit: "paths")
            let outcome = try PathComparison.compare(
                path, kinds.isEmpty ? PathComparison.kinds : kinds, options, progress: { progress.update($0) })
            progress.finish(outcome.rows)
            comparison = outcome.comparison
        } else {
            let input = try AttributeInput.open(command)
            var channels = ChannelTable()
            let models = AttributionModels(options, channels: &channels)
            let reader = JourneyReader(
                input.database, try AttributeOptions.reading(command), channels: channels, scores: input.scores)
            if kinds.isEmpty { kinds = ModelKind.allCases.filter { $0 != .causal || input.scores != nil } }
            let chosen = kinds
            comparison = try input.database.transaction(writing: false) { () throws(ImpactError) in
                try AttributionComparison.compare(reader, chosen, models)
            }
            notes = input.notes + AttributeText.notes(reader.journeyCounts, reader.counts)
        }
        if let path = command.name == "attribute compare" ? command.text("csv") : nil {
            try OutputFile.write(Array(csv(comparison).utf8), to: path)
            if path == "-" { return }
        }
        if command.flag("json") {
            Terminal.Stream.output.write(json(comparison, notes).line + "\n")
        } else {
            Terminal.Stream.output.write(text(comparison, notes))
        }
    }

    static func text(_ comparison: ModelComparison, _ notes: [String]) -> String {
        var columns = [Table.Column.text("Channel")] + comparison.divided.map { .number($0.kind.rawValue) }
        for column in comparison.columns where column.ownTotals != nil {
            columns.append(.number("\(column.kind.rawValue)'s own"))
        }
        if !comparison.causal.isEmpty { columns.append(.number("incremental (95 %)")) }
        var table = Table(columns: columns)
        for channel in comparison.order {
            var cells = [comparison.channels[channel]]
            cells += comparison.divided.map { Figure.fixed($0.credit(channel), 2) }
            for column in comparison.columns {
                if let own = column.ownTotals { cells.append(Figure.fixed(own[channel], 2)) }
            }
            if !comparison.causal.isEmpty { cells.append(incremental(comparison, channel)) }
            table.add(cells)
        }
        var text = table.text(width: nil)
        let whole = comparison.conversions.rounded()
        let count =
            whole == comparison.conversions
            ? HumanNumber.grouped(Int(saturating: whole)) : Figure.fixed(comparison.conversions, 2)
        text += "\n\(count) conversions\n"
        for channel in comparison.order {
            if let words = comparison.disagreement(channel) { text += "- \(comparison.channels[channel]): \(words)\n" }
        }
        for note in notes + comparison.remarks { text += "- \(note)\n" }
        return text
    }

    static func incremental(_ comparison: ModelComparison, _ channel: Int) -> String {
        guard let row = comparison.causal.first(where: { Int($0.channel) == channel }), row.scored > 0 else {
            return ""
        }
        let half = 1.96 * row.standardError
        return "\(Figure.fixed(row.incremental, 1)) (\(Figure.fixed(row.incremental - half, 1)) to "
            + "\(Figure.fixed(row.incremental + half, 1)))"
    }

    private static func csv(_ comparison: ModelComparison) -> String {
        var text = "channel_name"
        for column in comparison.divided { text += ",\(column.kind.rawValue)" }
        for column in comparison.columns where column.ownTotals != nil { text += ",\(column.kind.rawValue)_own" }
        text += comparison.causal.isEmpty ? "\n" : ",incremental,incremental_std_error\n"
        for channel in comparison.order {
            text += CSVText.field(comparison.channels[channel])
            for column in comparison.divided { text += "," + CSVText.number(column.credit(channel)) }
            for column in comparison.columns {
                if let own = column.ownTotals { text += "," + CSVText.number(own[channel]) }
            }
            if !comparison.causal.isEmpty {
                let row = comparison.causal.first { Int($0.channel) == channel && $0.scored > 0 }
                text += ",\(CSVText.number(row?.incremental)),\(CSVText.number(row?.standardError))"
            }
            text += "\n"
        }
        return text
    }

    private static func json(_ comparison: ModelComparison, _ notes: [String]) -> JSONOutput {
        let channels = comparison.order.map { channel -> JSONOutput in
            var members: [(name: String, value: JSONOutput)] = [("channel_name", .text(comparison.channels[channel]))]
            members.append(
                (
                    "credit",
                    .object(comparison.divided.map { ($0.kind.rawValue, .number($0.credit(channel))) })
                ))
            members.append(
                (
                    "own_totals",
                    .object(
                        comparison.columns.compactMap { column in
                            column.ownTotals.map { (column.kind.rawValue, .number($0[channel])) }
                        })
                ))
            if let row = comparison.causal.first(where: { Int($0.channel) == channel }), row.scored > 0 {
                members.append(
                    (
                        "incremental",
                        [
                            "conversions": .number(row.incremental), "std_error": .number(row.standardError),
                            "scored_sessions": .integer(row.scored), "sessions": .integer(row.sessions),
                        ]
                    ))
            }
            members.append(("disagreement", comparison.disagreement(channel).map { JSONOutput.text($0) } ?? .null))
            return .object(members)
        }
        return .object([
            ("conversions", .number(comparison.conversions)), ("channels", .array(channels)),
            ("notes", .array((notes + comparison.remarks).map { JSONOutput.text($0) })),
        ])
    }
}
