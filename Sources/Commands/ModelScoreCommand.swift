import Base
import Foundation
import Scoring
import Tabular
import Terminal

/// `impactiq model score`.
enum ModelScoreCommand: Command {
    static let specification = CommandSpecification(
        "score", "Score the rows of a CSV: effect, standard error, interval and decision for each",
        discussion: """
            Streams a file of any size with all cores and keeps the order. The header must name every feature of the \
            model; other columns are carried along.
            """,
        options: [
            .value("model", "MODEL", "The model file", required: true),
            .value("format", "FORMAT", "csv or jsonl", default: "csv"),
            .value("columns", "WHICH", "all: the input's columns too; minimal: the new ones only", default: "all"),
            .value("level", "LEVEL", "Confidence level of the interval", default: "0.95"),
            .value("threshold", "EFFECT", "Smallest effect worth treating", default: "0"),
            .flag("covariance", "Write the covariances of the treatments' effects too (slower)"),
            .value("threads", "N", "Threads; one a core when not given"),
            .flag("spreadsheet", "Mark texts that a spreadsheet would run as a formula with a quote before them"),
            ModelKey.option,
        ],
        arguments: [.init("FILE", "The CSV; - is standard input")],
        examples: [
            .init("impactiq model score --model spring.model customers.csv > scored.csv", "all cores, order kept"),
            .init("zcat big.csv.gz | impactiq model score --model spring.model --format jsonl -", "from a pipe"),
        ])

    static func run(_ command: ParsedCommand) throws {
        guard let path = command.text("model") else { throw command.invalid("model", "name the model file") }
        var options = CSVOptions()
        guard let format = CSVOptions.Format(rawValue: command.text("format") ?? "csv") else {
            throw command.invalid("format", "must be csv or jsonl")
        }
        guard let columns = CSVOptions.Columns(rawValue: command.text("columns") ?? "all") else {
            throw command.invalid("columns", "must be all or minimal")
        }
        options.format = format
        options.columns = columns
        options.level = try command.number("level") ?? 0.95
        options.threshold = try command.number("threshold") ?? 0
        options.field = command.flag("spreadsheet") ? .spreadsheet : .plain
        options.covariances = command.flag("covariance")
        options.threads = try command.count("threads") ?? 0
        let scorer = try CSVScorer(model: try ModelKey.open(path, command), options: options)
        let total = RowProgress(ProgressLine("score", unit: "rows"))
        let summary = try scorer.run(input: command.arguments[0], output: STDOUT_FILENO) { total.update($0) }
        total.finish(summary.rows)
        if !summary.otherColumns.isEmpty, columns == .minimal {
            Log.info("score", "columns that are not features: \(NameList.text(summary.otherColumns))")
        }
    }
}

/// Progress of work on several threads, with the time left by bytes when the input's size is known.
///
/// `@unchecked Sendable`: the scorer calls back one thread at a time.
private final class RowProgress: @unchecked Sendable {
    private let progress: ProgressLine

    init(_ progress: ProgressLine) { self.progress = progress }

    func update(_ now: CSVProgress) {
        let share = now.totalBytes.map { $0 > 0 ? Double(now.bytes) / Double($0) : 1 }
        progress.update(now.rows, share: share)
    }
    func finish(_ rows: Int) { progress.finish(rows) }
}
