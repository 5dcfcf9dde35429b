import Base
import Foundation
import Pipeline
import Settings
import Sinks
import Terminal

/// `dead-letter list`: the newest rejections as a table, or all as JSON lines.
struct DeadLetterListing {
    private let configuration: Configuration
    private let selection: DeadLetterSelection
    private let limit: Int
    private let isJSON: Bool

    init(_ command: ParsedCommand, _ configuration: Configuration, _ selection: DeadLetterSelection) throws {
        self.configuration = configuration
        self.selection = selection
        isJSON = command.flag("json")
        let shown = try command.count("limit") ?? 50
        limit = isJSON && !command.isGiven("limit") ? .max : shown
        guard limit > 0 else { throw command.invalid("limit", "must be 1 or more") }
    }

    /// What is shown of a letter; not the letter, whose value may be large.
    private struct Row {
        var letter: DeadLetter
        var preview: String
        var bytes: Int
        /// Nil for another application's letter.
        var isSentBack: Bool?
    }

    func run() throws {
        let reader = DeadLetterReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: configuration.deadLetterTopic)
        // Asked only, never started: a replay that runs meanwhile goes on.
        let replayer = try DeadLetterReplayer(
            properties: configuration.kafkaProperties(client: "producer"), application: configuration.applicationID,
            topic: configuration.deadLetterTopic)
        defer { replayer.close() }
        var counts: [String: (all: Int, sent: Int)] = [:]
        var newest: [Row] = []
        var printed = 0
        try reader.read { letter in
            if StopSignal.isRaised { return false }
            guard selection.holds(letter) else { return true }
            let isOurs = letter.application == configuration.applicationID
            let isSentBack = isOurs ? try replayer.isReplayed(letter) : nil
            counts[letter.reason.code, default: (0, 0)].all += 1
            if isSentBack == true { counts[letter.reason.code]?.sent += 1 }
            var row = Row(
                letter: letter, preview: Self.preview(letter), bytes: letter.record.value?.count ?? 0,
                isSentBack: isSentBack)
            row.letter.record.value = nil
            row.letter.record.headers = []
            if isJSON {
                Terminal.Stream.output.write(Self.json(row).line + "\n")
                printed += 1
                return printed < limit
            }
            newest.append(row)
            // Sorted and cut now and then: bounded, without a heap.
            if newest.count >= 2 * limit { Self.keepNewest(&newest, limit) }
            return true
        }
        if isJSON { return }
        Self.keepNewest(&newest, limit)
        printTable(newest, counts, foreign: reader.foreign)
    }

    private static func keepNewest(_ rows: inout [Row], _ limit: Int) {
        rows.sort {
            ($0.letter.record.timestamp, $0.letter.partition, $0.letter.offset)
                < ($1.letter.record.timestamp, $1.letter.partition, $1.letter.offset)
        }
        if rows.count > limit { rows.removeFirst(rows.count - limit) }
    }

    private func printTable(_ rows: [Row], _ counts: [String: (all: Int, sent: Int)], foreign: Int) {
        let out = Terminal.Stream.output
        if counts.isEmpty {
            out.write("no dead letters in \(configuration.deadLetterTopic)\n")
        } else {
            var table = Table(
                .text("time"), .text("place"), .text("code"), .text("sent back"), .text("reason"), .text("preview"))
            for row in rows {
                let reason = row.letter.reason
                table.add(
                    DeadLetterSelection.text(ofTime: row.letter.record.timestamp),
                    "\(reason.topic) [\(reason.partition)] \(reason.offset)", reason.code,
                    row.isSentBack.map { $0 ? "yes" : "no" } ?? "not ours",
                    Self.printable(Array(reason.message.utf8), limit: 200), row.preview)
            }
            out.write(table.text(width: out.windowSize?.columns))
            var summary = Table(.text("code"), .number("letters"), .number("sent back"))
            for (code, count) in counts.sorted(by: { ($1.value.all, $0.key) < ($0.value.all, $1.key) }) {
                summary.add(code, HumanNumber.grouped(count.all), HumanNumber.grouped(count.sent))
            }
            out.write("\n" + summary.text())
        }
        if foreign > 0 { out.write("\(foreign) records in the topic are not dead letters\n") }
    }

    private static func json(_ row: Row) -> JSONOutput {
        let reason = row.letter.reason
        return .object([
            (name: "time", value: .text(DeadLetterSelection.text(ofTime: row.letter.record.timestamp))),
            (name: "code", value: .text(reason.code)), (name: "message", value: .text(reason.message)),
            (
                name: "source",
                value: .object([
                    (name: "topic", value: .text(reason.topic)),
                    (name: "partition", value: .integer(Int(reason.partition))),
                    (name: "offset", value: .integer(Int(reason.offset))),
                ])
            ),
            (
                name: "dead_letter",
                value: .object([
                    (name: "partition", value: .integer(Int(row.letter.partition))),
                    (name: "offset", value: .integer(Int(row.letter.offset))),
                ])
            ),
            (name: "application", value: .text(row.letter.application)),
            (name: "sent_back", value: row.isSentBack.map { .bool($0) } ?? .null),
            (name: "key", value: row.letter.record.key.map { .text(printable($0, limit: 300)) } ?? .null),
            (name: "bytes", value: .integer(row.bytes)), (name: "preview", value: .text(row.preview)),
        ])
    }

    private static func preview(_ letter: DeadLetter) -> String {
        guard let value = letter.record.value else { return "(null)" }
        return printable(value, limit: 120)
    }

    /// Bytes of unknown origin on a terminal: control characters, which could steer it, become dots.
    private static func printable(_ bytes: [UInt8], limit: Int) -> String {
        let text = String(decoding: bytes.prefix(limit), as: UTF8.self)
        let safe = String(
            text.unicodeScalars.map { scalar -> Character in
                let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
                let isFormat = scalar.properties.generalCategory == .format
                return isControl || isFormat ? "·" : Character(scalar)
            })
        return bytes.count > limit ? safe + "…" : safe
    }
}
