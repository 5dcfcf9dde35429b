import Base
import Pipeline
import Settings
import StateStore
import Terminal

/// `impactiq state verify`.
enum StateVerifyCommand: Command {
    static let specification = CommandSpecification(
        "verify", "Compare the local copies in state.dir with the changelog, record by record",
        discussion: """
            Reads every local copy and the whole changelog of its partition. Users changed since the copy's checkpoint \
            are counted apart: a start replays them. Exit status 1 when a record differs.
            """,
        options: [
            .value("partition", "N", "This partition only", repeated: true),
            .value("show", "N", "How many differences to name a partition", default: "10"),
            .flag("json", "Print one JSON object per partition"),
        ],
        examples: [.init("impactiq state verify --config impactiq.properties", "after a crash, or before an upgrade")])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let topic = configuration.changelogTopic
        let wanted = try Set(
            command.texts("partition").map { text in
                guard let number = Int32(text) else { throw command.invalid("partition", "not a whole number") }
                return number
            })
        let show = try command.count("show") ?? 10
        let copies = try LocalCopies(stateDirectory: configuration.stateDirectory, topic: topic)
        defer { copies.close() }
        let chosen = copies.copies.filter { wanted.isEmpty || wanted.contains($0.partition) }
        guard !chosen.isEmpty else {
            throw ImpactError(
                .failed, code: "no_local_copy",
                "\(configuration.stateDirectory) holds no local copy of \(topic): nothing has run here with "
                    + "state.store=rocksdb, or not long enough for a checkpoint")
        }
        let reader = try ChangelogReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: topic)
        defer { reader.close() }
        let progress = ProgressLine("verify", total: chosen.count, unit: "partitions")
        var results: [StateVerification] = []
        for copy in chosen {
            let result = try StateVerification(copy, reader, limit: show)
            if command.flag("json") { Terminal.Stream.output.write(json(result).line + "\n") }
            results.append(result)
            progress.update(results.count)
        }
        progress.finish(results.count)
        if !command.flag("json") { Terminal.Stream.output.write(text(results, topic)) }
        let differing = results.reduce(0) { $0 + $1.differing }
        guard differing == 0 else {
            throw ImpactError(
                .failed, code: "state_differs",
                "\(differing) records differ from \(topic). Stop the process and delete the local copy: it is rebuilt "
                    + "from the changelog at the next start")
        }
    }

    private static func text(_ results: [StateVerification], _ topic: String) -> String {
        var table = Table(
            .number("partition"), .text("local copy"), .number("to offset"), .number("stored"),
            .number("in the changelog"), .number("equal"), .number("changed since"), .number("differ"))
        for result in results {
            table.add(
                "\(result.partition)", result.storePath, "\(result.checkpoint.offset)",
                HumanNumber.grouped(result.stored), HumanNumber.grouped(result.logged),
                HumanNumber.grouped(result.equal), HumanNumber.grouped(result.inTail),
                HumanNumber.grouped(result.differing))
        }
        var text = table.text()
        for result in results {
            for difference in result.differences {
                text += "partition \(result.partition): \(difference.user) "
                switch difference.kind {
                case .differs: text += "differs\n"
                case .missing: text += "is missing in the local copy\n"
                case .surplus: text += "is in the local copy, not in the changelog\n"
                }
            }
            let more = result.differing - result.differences.count
            if more > 0 { text += "partition \(result.partition): and \(HumanNumber.grouped(more)) more\n" }
        }
        let damaged = results.reduce(0) { $0 + $1.unreadable }
        if damaged > 0 { text += unreadable(damaged, topic) }
        let equal = results.reduce(0) { $0 + $1.equal }
        if results.allSatisfy({ $0.differing == 0 }) { text += "equal: \(HumanNumber.grouped(equal)) records\n" }
        return text
    }

    /// What becomes of records that cannot be read, in a line.
    static func unreadable(_ count: Int, _ topic: String) -> String {
        "damaged, each the last record of its user in \(topic): \(HumanNumber.grouped(count)); the next start sets them aside as "
            + "dead letters, and their users begin anew (docs/state.md)\n"
    }

    private static func json(_ result: StateVerification) -> JSONOutput {
        [
            "partition": .integer(Int(result.partition)), "store": .text(result.storePath),
            "offset": .integer(Int(result.checkpoint.offset)), "stored": .integer(result.stored),
            "changelog": .integer(result.logged), "equal": .integer(result.equal),
            "changed_since": .integer(result.inTail), "differ": .integer(result.differing),
            "unreadable": .integer(result.unreadable),
            "differences": .array(
                result.differences.map { ["user_id": .text($0.user), "kind": .text($0.kind.rawValue)] }),
        ]
    }
}
