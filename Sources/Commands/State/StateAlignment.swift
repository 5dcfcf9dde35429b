import Base
import Kafka
import Pipeline
import Settings
import Terminal

/// `impactiq state align`: brings committed offsets and state together again, when a start refuses because they disagree.
enum StateAlignment: Command {
    static let specification = CommandSpecification(
        "align", "Set the committed offsets to where the state stands, when a start says that they disagree",
        discussion: """
            Each commit writes state and offsets together. When the group was deleted, when its offsets were set by another \
            program, or when a topic was made anew, they disagree, and the pipeline refuses to start: it would count events \
            twice or skip them. The state stays as it is; only offsets are set. --to state goes on exactly where the state \
            stands; committed accepts the offsets as they are; beginning reads all that the topic holds now on top of the \
            state, so that what it has counted already counts twice. Users whom the changelog has lost begin empty: then \
            say which of the others it shall be. Refuses while the application runs. Shows what it would do and asks first.
            """,
        options: [
            .value("to", "PLACE", "state, committed, beginning or end", default: "state"),
            .flag("yes", "Do it without asking"),
            .flag("json", "Print what would be or was done as one JSON object"),
        ],
        examples: [
            .init("impactiq state align --config impactiq.properties", "after 'kafka-consumer-groups --reset-offsets'"),
            .init("impactiq state align --to beginning --yes", "after the input topic was made anew"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let place = command.text("to") ?? "state"
        guard ["state", "committed", "beginning", "end"].contains(place) else {
            throw command.invalid("to", "must be state, committed, beginning or end")
        }
        let properties = configuration.kafkaProperties(client: "consumer")
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        let committedAdmin = try Admin(properties: properties, readCommitted: true)
        defer { committedAdmin.close() }
        let layout = try TopicLayout.check(configuration, admin: admin)
        try ResetPlan.refuseLive(configuration, admin)
        try GrowthMark.check(configuration, admin)
        let findings = try StartCheck.findings(
            configuration, partitions: layout.inputPartitions, admin: admin, committedAdmin: committedAdmin,
            isStopped: { StopSignal.isRaised })
        var offsets: [TopicPartition: CommittedOffset] = [:]
        var lost = 0, again = 0
        var table = Table(
            .text("partition"), .text("state goes up to"), .text("committed"), .text("topic holds"), .text("then"))
        for finding in findings {
            let problem = StateTie.judge(finding, isExactlyOnce: false)
            lost += problem?.lostUsers ?? 0
            if place == "beginning", let state = finding.state, state > finding.marks.low, problem?.isOfInput != true {
                again += Int(min(state, finding.marks.high) - finding.marks.low)
            }
            if place == "state", let problem, problem.isOfInput {
                throw ImpactError(
                    .failed, code: "input_made_anew",
                    "\(problem.text(finding.input)): the state's offset means nothing there; say --to beginning or end")
            }
            let next = try next(finding, place)
            table.add(
                "\(finding.input)", finding.state.map { "\($0)" } ?? (finding.hasState ? "unknown" : "no state"),
                finding.committed.map { "\($0.offset)" } ?? "none", "\(finding.marks.low) to \(finding.marks.high)",
                next.map { "\($0)" } ?? "none")
            guard let next else { continue }
            var mark = StateTie.Mark(last: nil, users: 0, changelog: 0, isAligned: true)
            // Whoever aligns with the state wants it to be there at the next start.
            if place == "state", finding.hasState {
                mark.users = finding.committed.flatMap { StateTie.Mark($0.metadata)?.users } ?? 0
                mark.changelog = finding.changelogEnd
                mark.last = finding.position?.last
            }
            offsets[finding.input] = CommittedOffset(next, metadata: mark.text)
        }
        let lies = findings.reduce(into: Set<String>()) { places, finding in
            let partition = finding.input.partition
            for (offset, reason) in finding.disbelieved[partition] {
                places.insert("\(TopicPartition(configuration.changelogTopic, partition)) offset \(offset): \(reason)")
            }
        }
        let isJSON = command.flag("json")
        if !isJSON { Terminal.Stream.output.write(table.text()) }
        var warnings = lies.sorted().prefix(5).map { "\($0); the next start sets it aside" }
        if lies.count > 5 { warnings.append("and \(lies.count - 5) more records that cannot be believed") }
        if lost > 0 {
            warnings.append("the changelog has lost \(lost) users: whatever is set, their features begin empty")
        }
        if again > 0 {
            warnings.append(
                "up to \(again) events that the state has counted are read again: they count twice (but for ids that a user "
                    + "still remembers), and their scores are published again; --to state goes on without that")
        }
        if !isJSON { for warning in warnings { Terminal.Stream.output.write("warning: \(warning)\n") } }
        if lost > 0, place == "state" {
            throw ImpactError(
                .failed, code: "users_lost",
                "the changelog has lost \(lost) users, and there is no state to align with. Choose: --to committed goes on without "
                    + "them, --to beginning counts again what the topic still holds, --to end passes over what is unread"
            )
        }
        let isConfirmed = try Confirmation.ask(
            "Set the offsets of \(configuration.applicationID)?", isGiven: command.flag("yes"), isQuiet: isJSON)
        if isConfirmed {
            try admin.alterOffsets(ofGroup: configuration.applicationID, to: offsets)
            if !isJSON { Terminal.Stream.output.write("done: the next start goes on from there\n") }
        }
        guard isJSON else { return }
        let object: JSONOutput = [
            "done": .bool(isConfirmed), "lost_users": .integer(lost), "counted_again": .integer(again),
            "offsets": .array(
                offsets.sorted { $0.key < $1.key }.map {
                    [
                        "topic": .text($0.key.topic), "partition": .integer(Int($0.key.partition)),
                        "next": .integer(Int($0.value.offset)),
                    ]
                }),
        ]
        Terminal.Stream.output.write(object.line + "\n")
    }

    private static func next(_ finding: StateTie.Finding, _ place: String) throws(ImpactError) -> Int64? {
        switch place {
        case "committed":
            if let committed = finding.committed?.offset, committed > finding.marks.high {
                throw ImpactError(
                    .failed, code: "committed_beyond_end",
                    "\(finding.input): the committed offset is \(committed), and the topic ends at \(finding.marks.high): say --to "
                        + "state, beginning or end")
            }
            return finding.committed?.offset
        case "beginning": return finding.marks.low
        case "end": return finding.marks.high
        default:
            guard let state = finding.state else {
                guard finding.hasState else { return finding.committed?.offset }
                throw ImpactError(
                    .failed, code: "unknown_position",
                    "\(finding.input): the state does not say how far it goes: an earlier version wrote it. "
                        + "Say --to committed, beginning or end")
            }
            guard state <= finding.marks.high else {
                throw ImpactError(
                    .failed, code: "state_beyond_end",
                    "\(finding.input): the state goes up to offset \(state), and the topic ends at \(finding.marks.high): it "
                        + "was made anew; say --to beginning or end")
            }
            return state
        }
    }
}
