import Base
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Terminal

/// `dead-letter replay`: plans in one reading of the topic, sends in a second.
struct DeadLetterReplay {
    private let command: ParsedCommand
    private let configuration: Configuration
    private let selection: DeadLetterSelection
    private let sendsAgain: Bool
    /// Records whose letters were sent, or are due, in the reading at hand: a pipeline that was reset rejects a record again,
    /// and one letter of it is enough.
    private let records = Records()

    private final class Records {
        struct Record: Hashable {
            var topic: String
            var partition: Int32
            var offset: Int64
            var key: [UInt8]?
            var value: Int
        }

        private var sent: Set<Record> = []

        func begin() { sent = [] }

        /// - Returns: whether it is the first letter of its record.
        func insert(_ letter: DeadLetter) -> Bool {
            sent.insert(
                Record(
                    topic: letter.reason.topic, partition: letter.reason.partition, offset: letter.reason.offset,
                    key: letter.record.key, value: letter.record.value.hashValue)
            ).inserted
        }
    }

    init(_ command: ParsedCommand, _ configuration: Configuration, _ selection: DeadLetterSelection) {
        self.command = command
        self.configuration = configuration
        self.selection = selection
        sendsAgain = command.flag("again")
    }

    /// What is there to do, by code and topic.
    private struct Plan {
        var due: [String: [String: Int]] = [:]
        var done = 0
        /// Further letters of records that go back, or went, with another one.
        var copies = 0
        var ofOthers = 0
        var unreachable: [String: Int] = [:]
        /// More places without sent letters than can be written down.
        var isTooScattered = false

        var count: Int { due.values.reduce(0) { $0 + $1.values.reduce(0, +) } }
    }

    func run() throws {
        let properties = configuration.kafkaProperties(client: "producer")
        let replayer = try DeadLetterReplayer(
            properties: properties, application: configuration.applicationID, topic: configuration.deadLetterTopic)
        defer { replayer.close() }
        let partitions = try inputPartitions()
        let plan = try plan(replayer, partitions)
        if !command.flag("json") { show(plan) }
        if plan.isTooScattered { throw DeadLetterReplayer.tooScattered }
        guard plan.count > 0, try isConfirmed(plan.count) else {
            if command.flag("json") { printJSON(plan, sent: 0) }
            return
        }
        replayer.start()
        let progress = ProgressLine("dead-letter replay", total: plan.count, unit: "letters")
        // Another replay may have sent some since the plan was made.
        replayer.beginReading()
        records.begin()
        try reader().read { letter in
            if StopSignal.isRaised { return false }
            guard isReachable(letter, partitions) else { return true }
            try note(letter, replayer)
            if selection.holds(letter), try isDue(letter, replayer) {
                if try isCopy(letter, replayer) { return true }
                try replayer.send(letter)
                progress.update(replayer.sent)
            } else {
                try pass(letter, replayer)
            }
            return true
        }
        try replayer.commit()
        progress.finish(replayer.sent)
        if command.flag("json") { printJSON(plan, sent: replayer.sent) }
    }

    private func reader() -> DeadLetterReader {
        DeadLetterReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: configuration.deadLetterTopic)
    }

    /// The topics that letters may go back to: only those that the configuration reads. A dead letter names its topic
    /// itself, and whoever can write one must not choose where a replay writes.
    private func inputPartitions() throws -> [String: Int] {
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        defer { admin.close() }
        var partitions: [String: Int] = [:]
        for topic in configuration.inputTopics { partitions[topic] = try admin.describe(topic)?.partitions }
        return partitions
    }

    private func isReachable(_ letter: DeadLetter, _ partitions: [String: Int]) -> Bool {
        letter.application == configuration.applicationID
            && Int(letter.reason.partition) < partitions[letter.reason.topic] ?? 0
    }

    private func isDue(_ letter: DeadLetter, _ replayer: DeadLetterReplayer) throws -> Bool {
        guard letter.application == configuration.applicationID else { return false }
        return try sendsAgain || !replayer.isReplayed(letter)
    }

    /// Whether the letter's record went or goes back with another letter; then this one counts as sent too.
    private func isCopy(_ letter: DeadLetter, _ replayer: DeadLetterReplayer) throws -> Bool {
        if records.insert(letter) { return false }
        try replayer.count(letter)
        return true
    }

    /// Notes what was sent before, so that later letters of the same record are known.
    private func note(_ letter: DeadLetter, _ replayer: DeadLetterReplayer) throws {
        guard !sendsAgain, letter.application == configuration.applicationID, try replayer.isReplayed(letter) else {
            return
        }
        _ = records.insert(letter)
    }

    /// Letters that --skip passes over count as sent as soon as a later one of their code is sent.
    private func pass(_ letter: DeadLetter, _ replayer: DeadLetterReplayer) throws {
        let wasSent = try replayer.isReplayed(letter)
        if wasSent || !command.flag("skip") { try replayer.pass(letter, wasSent: wasSent) }
    }

    private func plan(_ replayer: DeadLetterReplayer, _ partitions: [String: Int]) throws -> Plan {
        var plan = Plan()
        records.begin()
        try reader().read { letter in
            if StopSignal.isRaised { return false }
            let isWanted = selection.holds(letter)
            try note(letter, replayer)
            if letter.application != configuration.applicationID {
                if isWanted { plan.ofOthers += 1 }
            } else if !isReachable(letter, partitions) {
                if isWanted { plan.unreachable[letter.reason.topic, default: 0] += 1 }
            } else if isWanted, try isDue(letter, replayer) {
                if try isCopy(letter, replayer) {
                    plan.copies += 1
                    return true
                }
                plan.due[letter.reason.code, default: [:]][letter.reason.topic, default: 0] += 1
                try replayer.count(letter)
            } else {
                if isWanted { plan.done += 1 }
                try pass(letter, replayer)
            }
            return true
        }
        plan.isTooScattered = replayer.isTooScattered
        return plan
    }

    private func show(_ plan: Plan) {
        let out = Terminal.Stream.output
        if plan.count == 0 {
            out.write("nothing to send back\n")
        } else {
            var table = Table(.text("code"), .text("goes back to"), .number("letters"))
            for (code, topics) in plan.due.sorted(by: { $0.key < $1.key }) {
                for (topic, count) in topics.sorted(by: { $0.key < $1.key }) {
                    table.add(code, topic, HumanNumber.grouped(count))
                }
            }
            out.write(table.text())
        }
        if plan.done > 0 { out.write("\(plan.done) were sent back before (--again sends them once more)\n") }
        if plan.copies > 0 {
            out.write(
                "\(plan.copies) are letters of the same records, rejected again after a reset: each record goes back once\n"
            )
        }
        if plan.ofOthers > 0 { out.write("\(plan.ofOthers) are another application's and stay\n") }
        for (topic, count) in plan.unreachable.sorted(by: { $0.key < $1.key }) {
            out.write(
                "\(count) came from \(topic), which input.topics does not name or which has fewer partitions now\n")
        }
    }

    private func isConfirmed(_ count: Int) throws -> Bool {
        try Confirmation.ask(
            "Send \(HumanNumber.grouped(count)) letter\(count == 1 ? "" : "s") back?", isGiven: command.flag("yes"),
            isQuiet: command.flag("json"))
    }

    private func printJSON(_ plan: Plan, sent: Int) {
        let codes = plan.due.sorted { $0.key < $1.key }.map {
            (name: $0.key, value: JSONOutput.integer($0.value.values.reduce(0, +)))
        }
        let object = JSONOutput.object([
            (name: "sent", value: .integer(sent)), (name: "due", value: .integer(plan.count)),
            (name: "by_code", value: .object(codes)), (name: "sent_before", value: .integer(plan.done)),
            (name: "copies", value: .integer(plan.copies)),
            (name: "of_other_applications", value: .integer(plan.ofOthers)),
            (name: "unreachable", value: .integer(plan.unreachable.values.reduce(0, +))),
        ])
        Terminal.Stream.output.write(object.line + "\n")
    }
}
