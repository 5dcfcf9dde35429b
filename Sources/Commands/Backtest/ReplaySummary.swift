import Backtest
import Base
import Foundation
import Scoring
import Terminal

/// What a replay did and found, for people and for machines.
struct ReplaySummary {
    let result: ReplayResult
    let model: Model
    let description: String
    let remarks: [String]

    private static let decisions = Decision.allCases.map { "\($0)" }

    /// - Throws: `not_identical` when scores of one model differ; `features_missing` when no event could be scored since
    ///   the model refuses rows without values that no event has.
    func check() throws(ImpactError) {
        let counters = result.counters
        if counters.scores == 0, counters.stream.rejected["missing_feature"] ?? 0 > 0 {
            throw ImpactError(
                .badInput, code: "features_missing",
                "no event could be scored: the model \(model.name) needs values that the events do not have"
                    + (result.unseenFields.isEmpty
                        ? "" : " (never seen: \(NameList.text(result.unseenFields)))"))
        }
        guard let comparison = result.comparison, !comparison.isIdentical, !comparison.isOfTwoModels else { return }
        let cause = counters.stream.users?.finding.map { "; \($0): \(BacktestSource.splitCause)" } ?? ""
        throw ImpactError(.failed, code: "not_identical", verdict(comparison) + cause)
    }

    private func verdict(_ comparison: ScoreComparison) -> String {
        if comparison.isIdentical { return "identical: \(comparison.identical) scores" }
        if comparison.pairs == 0, comparison.publishedOnly == 0, comparison.replayOnly == 0 {
            return "nothing to compare: neither side has a score in the range"
        }
        if comparison.isOfTwoModels {
            return "another model: \(comparison.pairs) pairs, \(comparison.changedDecisions) decisions change"
        }
        var parts = ["\(comparison.identical) identical", "\(comparison.different) different"]
        if comparison.publishedOnly > 0 { parts.append("\(comparison.publishedOnly) published only") }
        if comparison.replayOnly > 0 { parts.append("\(comparison.replayOnly) replayed only") }
        if comparison.publishedTwice > 0 { parts.append("\(comparison.publishedTwice) published twice") }
        if comparison.otherModel > 0 { parts.append("\(comparison.otherModel) of another model") }
        return "not identical: " + parts.joined(separator: ", ")
    }

    var text: String {
        let counters = result.counters
        var out = "\(description), model \(model.name) \(model.version)\n"
        out += "\(counters.stream.messages) messages"
        if counters.stream.warmUpMessages > 0 { out += " (\(counters.stream.warmUpMessages) of the warm-up)" }
        out += ", \(counters.stream.events) events, \(counters.scores) scores (\(counters.treat) treat, "
        out +=
            "\(counters.suppress) suppress, \(counters.uncertain) uncertain), \(counters.stream.duplicates) duplicates, "
        out += "\(counters.late) late, \(counters.stream.rejectedCount) rejected\n"
        for (code, count) in counters.stream.rejected.sorted(by: { $0.key < $1.key }) { out += "  \(code): \(count)\n" }
        for note in notes { out += "note: \(note)\n" }
        if let comparison = result.comparison { out += text(comparison) }
        return out
    }

    private var notes: [String] {
        let counters = result.counters
        var notes = remarks
        if let finding = counters.stream.users?.finding { notes.append("\(finding): \(BacktestSource.splitCause)") }
        if counters.stream.eventTimeBackwards > 0 {
            notes.append(
                "\(counters.stream.eventTimeBackwards) events are older than one before them in their partition, by up to "
                    + HumanNumber.span(seconds: Double(counters.farthestBack) / 1_000))
        }
        if counters.recordTimeBackwards > 0 {
            notes.append("\(counters.recordTimeBackwards) records have a timestamp before that of an earlier one")
        }
        if !result.unseenFields.isEmpty {
            notes.append(
                "no event has \(NameList.text(result.unseenFields)), which features of the model read")
        }
        notes += UnusableValues.notes(counters.stream)
        if !result.unseenTypes.isEmpty {
            notes.append(
                "no event is of type \(NameList.text(result.unseenTypes)), which features of the model count")
        }
        if let tombstones = result.comparison?.tombstones, tombstones > 0 {
            notes.append(
                "\(tombstones) published records are tombstones of erased users, with which nothing is compared; where the "
                    + "topic is compacted, scores that compaction removed count as replayed only")
        }
        return notes
    }

    private func text(_ comparison: ScoreComparison) -> String {
        var out = verdict(comparison) + "\n"
        if let first = comparison.first {
            out += "first difference (\(first.kind.rawValue)): partition \(first.partition), offset \(first.offset)\n"
            out += "  published  \(first.published ?? "–")\n  replayed   \(first.replayed ?? "–")\n"
        }
        guard comparison.otherModel > 0 else { return out }
        out +=
            "published by \(comparison.models.values.sorted().joined(separator: ", "))\n\nDecisions, published → replayed\n"
        let matrix = matrix(comparison)
        var table = Table(columns: [.text("")] + Self.decisions.map { .number($0) })
        for (row, name) in Self.decisions.enumerated() {
            table.add([name] + (0..<3).map { HumanNumber.grouped(matrix[row * 3 + $0]) })
        }
        return out + table.text() + "\n" + ShiftText.text(comparison.shifts)
    }

    /// With two models no pair is of equal bytes, since the model's hash is part of a score.
    private func matrix(_ comparison: ScoreComparison) -> [Int] { comparison.matrix(identical: [0, 0, 0]) }

    var json: JSONOutput {
        let counters = result.counters
        var members: [(name: String, value: JSONOutput)] = [
            ("range", .text(description)),
            (
                "model",
                .object([
                    ("name", .text(model.name)), ("version", .text(model.version)), ("sha256", .text(model.sha256)),
                ])
            ),
            ("messages", .integer(counters.stream.messages)),
            ("warmup_messages", .integer(counters.stream.warmUpMessages)),
            ("events", .integer(counters.stream.events)), ("scores", .integer(counters.scores)),
            ("treat", .integer(counters.treat)), ("suppress", .integer(counters.suppress)),
            ("uncertain", .integer(counters.uncertain)), ("duplicates", .integer(counters.stream.duplicates)),
            ("late", .integer(counters.late)),
            (
                "rejected",
                .object(counters.stream.rejected.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })
            ),
            ("event_time_backwards", .integer(counters.stream.eventTimeBackwards)),
            ("event_time_backwards_ms", .integer(Int(counters.farthestBack))),
            ("record_time_backwards", .integer(counters.recordTimeBackwards)),
            ("unseen_fields", .array(result.unseenFields.map { .text($0) })),
            ("unseen_types", .array(result.unseenTypes.map { .text($0) })),
            ("seconds", .number(result.seconds)), ("notes", .array(notes.map { .text($0) })),
        ]
        if let comparison = result.comparison { members.append(("comparison", json(comparison))) }
        return .object(members)
    }

    private func json(_ comparison: ScoreComparison) -> JSONOutput {
        let matrix = matrix(comparison)
        var members: [(name: String, value: JSONOutput)] = [
            ("verdict", .text(verdict(comparison))), ("identical", .integer(comparison.identical)),
            ("different", .integer(comparison.different)), ("published_only", .integer(comparison.publishedOnly)),
            ("replay_only", .integer(comparison.replayOnly)),
            ("published_twice", .integer(comparison.publishedTwice)),
            ("other_model", .integer(comparison.otherModel)), ("tombstones", .integer(comparison.tombstones)),
        ]
        if let first = comparison.first {
            members.append(
                (
                    "first_difference",
                    .object([
                        ("kind", .text(first.kind.rawValue)), ("partition", .integer(Int(first.partition))),
                        ("offset", .integer(Int(first.offset))),
                        ("published", first.published.map { .text($0) } ?? .null),
                        ("replayed", first.replayed.map { .text($0) } ?? .null),
                    ])
                ))
        }
        if comparison.otherModel > 0 {
            let rows = Self.decisions.enumerated().map { row, name in
                (
                    name: name,
                    value: JSONOutput.object(Self.decisions.enumerated().map { ($1, .integer(matrix[row * 3 + $0])) })
                )
            }
            members.append(
                (
                    "published_models",
                    .object(comparison.models.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })
                ))
            members.append(("decisions", .object(rows)))
            members.append(("changed_decisions", .integer(comparison.changedDecisions)))
            members.append(("shift", ShiftText.json(comparison.shifts)))
        }
        return .object(members)
    }
}

/// The distribution of effect shifts.
enum ShiftText {
    private static let quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]

    static func text(_ sketch: ShiftSketch) -> String {
        guard sketch.count > 0 else { return "no pair has two effects\n" }
        var out = "Effect shift, replayed − published, \(HumanNumber.grouped(sketch.count)) pairs\n"
        out +=
            "mean \(number(sketch.mean)), root mean square \(number(sketch.size)), largest \(number(sketch.largest))\n"
        var table = Table(columns: quantiles.map { .number("\(Int($0 * 100)) %") })
        table.add(quantiles.map { number(sketch.quantile($0) ?? .nan) })
        return out + table.text() + histogram(sketch)
    }

    /// Equal widths between the 1 % and the 99 % quantile; what lies outside counts in the first and last row.
    private static func histogram(_ sketch: ShiftSketch) -> String {
        guard let low = sketch.quantile(0.01), let high = sketch.quantile(0.99), low < high else { return "" }
        let rows = 12
        var counts = [Int](repeating: 0, count: rows)
        for point in sketch.points {
            let place = Int(saturating: ((point.value - low) / (high - low) * Double(rows)).rounded(.down))
            counts[min(max(place, 0), rows - 1)] += point.count
        }
        let most = counts.max() ?? 1
        var out = "\n"
        for (row, count) in counts.enumerated() {
            let from = low + (high - low) * Double(row) / Double(rows)
            let label = number(from).padding(leftTo: 12)
            let bar = String(repeating: "█", count: Int(saturating: (40 * Double(count) / Double(most)).rounded()))
            out += "\(label)  \(bar) \(HumanNumber.grouped(count))\n"
        }
        return out
    }

    private static func number(_ value: Double) -> String { String(format: "%+.3g", value) }

    static func json(_ sketch: ShiftSketch) -> JSONOutput {
        .object([
            ("pairs", .integer(sketch.count)), ("mean", .number(sketch.mean)), ("rms", .number(sketch.size)),
            ("largest", .number(sketch.largest)), ("unchanged", .integer(sketch.none)),
            (
                "quantiles",
                .object(quantiles.map { (String($0), sketch.quantile($0).map { .number($0) } ?? .null) })
            ),
        ])
    }
}

/// Values that no feature could use, in words.
enum UnusableValues {
    static func notes(_ counts: StreamCounts) -> [String] {
        (counts.unusable ?? [:]).sorted { $0.key < $1.key }.map { field, count in
            "\(count) value\(count == 1 ? "" : "s") of \(field) \(count == 1 ? "is" : "are") of a kind that no feature can use "
                + "(such as a text where a number is wanted), and count\(count == 1 ? "s" : "") as missing"
        }
    }
}
