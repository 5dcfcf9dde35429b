import Base
import Consumer
import Engine
import Features
import Foundation
import Kafka
import Scoring
import Settings
import Synchronization

/// Whether state and committed offsets belong together, and the state to the model's features: asked before the first
/// worker starts, and before anything local is touched.
///
/// While the group has members nobody can change its offsets (Kafka refuses it), and members commit meanwhile: then only the
/// features are looked at.
package final class StartCheck {
    private let configuration: Configuration
    private let layout: TopicLayout
    private let admin: Admin
    private let committedAdmin: Admin
    private let isStopped: () -> Bool
    private let warned = Mutex<Set<TopicPartition>>([])
    /// What the last look found.
    private var disbelieved = DisbelievedRecords()

    /// - Returns: records of the changelog that cannot be believed, for restoring to set aside.
    package static func run(
        _ configuration: Configuration, _ plan: FeaturePlan, layout: TopicLayout, admin: Admin,
        isStopped: @escaping () -> Bool
    ) throws(ImpactError) -> DisbelievedRecords {
        // A client that looked before a topic was known may go on not knowing it: each attempt has one of its own. What Kafka
        // does not answer must not keep the application from its work: the worker waits for what it needs.
        var attempts = 3
        while true {
            let check = try StartCheck(configuration, layout: layout, admin: admin, isStopped: isStopped)
            defer { check.committedAdmin.close() }
            do throws(ImpactError) { return try check.run(plan) } catch {
                attempts -= 1
                let isForKafka = error.code.hasPrefix("kafka_") && error.code != "kafka_unreachable"
                if !isForKafka || error.code.contains("authoriz") || error.code.contains("authentic") { throw error }
                if attempts > 0 { continue }
                Log.warning("pipeline", "state and committed offsets were not compared: \(error.message)")
                return DisbelievedRecords()
            }
        }
    }

    private init(
        _ configuration: Configuration, layout: TopicLayout, admin: Admin, isStopped: @escaping () -> Bool
    ) throws(ImpactError) {
        self.configuration = configuration
        self.layout = layout
        self.admin = admin
        self.isStopped = isStopped
        committedAdmin = try Admin(
            properties: configuration.kafkaProperties(client: "consumer"), readCommitted: true,
            component: "start-check")
    }

    private func run(_ plan: FeaturePlan) throws(ImpactError) -> DisbelievedRecords {
        try Self.patiently(isStopped) { () throws(ImpactError) in try GrowthMark.check(configuration, admin) }
        var problems = try look(plan)
        // A commit's markers are written after its answer, to offsets and changelog one after the other; and another process
        // may have joined and committed between two questions.
        for _ in 0..<10 where !problems.isEmpty && !isStopped() {
            Thread.sleep(forTimeInterval: 0.5)
            do throws(ImpactError) { problems = try look(plan) } catch {
                // A stop ends the looking, and must not hide what was found.
                guard error.code == "stopped" else { throw error }
            }
        }
        guard problems.isEmpty else { throw Self.refusal(problems, configuration) }
        for _ in 0..<2 where !disbelieved.isEmpty && !isStopped() {
            let before = disbelieved
            Thread.sleep(forTimeInterval: 0.5)
            _ = try look(plan)
            disbelieved = before.intersection(disbelieved)
        }
        return disbelieved
    }

    private func look(
        _ plan: FeaturePlan
    ) throws(ImpactError) -> [(TopicPartition, StateTie.Disagreement)] {
        var features = FeatureFinding(plan)
        let findings = try Self.findings(
            configuration, partitions: layout.inputPartitions, admin: admin, committedAdmin: committedAdmin,
            isStopped: isStopped
        ) { place, record in features.look(at: place, key: record.key, value: record.value) }
        try check(&features)
        let members = try Self.patiently(isStopped) { () throws(ImpactError) in
            try admin.members(ofGroup: configuration.applicationID)
        }
        warn(findings)
        disbelieved = findings.reduce(into: DisbelievedRecords()) { all, finding in
            let partition = finding.input.partition
            for (offset, reason) in finding.disbelieved[partition] { all.add(partition, offset, reason) }
        }
        if !members.isEmpty { return [] }
        var problems: [(TopicPartition, StateTie.Disagreement)] = []
        for finding in findings {
            let problem = StateTie.judge(finding, isExactlyOnce: configuration.guarantee == .exactlyOnce)
            if let problem, try !isPending(finding.input) { problems.append((finding.input, problem)) }
        }
        return problems
    }

    /// Says once what retention has taken.
    private func warn(_ findings: [StateTie.Finding]) {
        for finding in findings {
            guard let committed = finding.committed?.offset, committed < finding.marks.low,
                warned.withLock({ $0.insert(finding.input).inserted })
            else { continue }
            Log.warning(
                "pipeline",
                "\(finding.input): retention has removed offsets \(committed) to \(finding.marks.low - 1) before they "
                    + "were read; their events are in no feature. Raise retention.ms above the longest pause")
        }
    }

    /// Whether a transaction holds an offset of this partition that is not written yet: what the group has is not its last
    /// word. The worker waits for it before it reads.
    private func isPending(_ input: TopicPartition) throws(ImpactError) -> Bool {
        try Self.patiently(isStopped) { () throws(ImpactError) -> Bool in
            do throws(ImpactError) {
                _ = try admin.committed(ofGroup: configuration.applicationID, partitions: [input], stable: true)
                return false
            } catch {
                if error.code == "kafka_unstable_offset_commit" { return true }
                throw error
            }
        }
    }

    private static var stopped: ImpactError {
        ImpactError(.failed, code: "stopped", "stopped while state and offsets were compared")
    }

    /// Asks until there is an answer: brokers on the way and a leader that moves are waited for, as everywhere. A topic may
    /// be unknown to a broker that has just started; some seconds are enough for such things.
    ///
    /// - Throws: `kafka_unreachable` at once, for the caller waits for a broker in turns that hear a stop sooner; `stopped`;
    ///   at once too what is not Kafka's, and what it forbids.
    private static func patiently<Value>(
        _ isStopped: () -> Bool, _ ask: () throws(ImpactError) -> Value
    ) throws(ImpactError) -> Value {
        let begun = ContinuousClock.now
        var told = begun
        while true {
            let problem: ImpactError
            do throws(ImpactError) { return try ask() } catch { problem = error }
            let code = problem.code
            let isForbidden = code.contains("authorization") || code.contains("authentication")
            let passes =
                Admin.isOfBrokers(problem)
                || code.hasPrefix("kafka_") && !isForbidden && ContinuousClock.now - begun < .seconds(8)
            if code == "kafka_unreachable" || !passes { throw problem }
            if isStopped() { throw stopped }
            if ContinuousClock.now - told > .seconds(10) {
                told = .now
                Log.warning("pipeline", "\(problem.message); asking again")
            }
            Thread.sleep(forTimeInterval: 0.2)
        }
    }

    /// What is known of each input partition.
    ///
    /// - Parameter inspect: gets the last record of each changelog partition.
    package static func findings(
        _ configuration: Configuration, partitions: Int, admin: Admin, committedAdmin: Admin,
        isStopped: @escaping () -> Bool,
        inspect: (TopicPartition, (key: [UInt8]?, value: [UInt8]?)) throws(ImpactError) -> Void = { _, _ in }
    ) throws(ImpactError) -> [StateTie.Finding] {
        try patiently(isStopped) { () throws(ImpactError) in
            try ask(
                configuration, partitions: partitions, admin: admin, committedAdmin: committedAdmin,
                isStopped: isStopped, inspect: inspect)
        }
    }

    private static func ask(
        _ configuration: Configuration, partitions: Int, admin: Admin, committedAdmin: Admin,
        isStopped: @escaping () -> Bool,
        inspect: (TopicPartition, (key: [UInt8]?, value: [UInt8]?)) throws(ImpactError) -> Void
    ) throws(ImpactError) -> [StateTie.Finding] {
        let inputs = configuration.inputTopics.flatMap { topic in
            (0..<partitions).map { TopicPartition(topic, Int32($0)) }
        }
        // Not the stable offsets: what a killed process left open is not in the changelog's committed part either, and it
        // is ended by that process's own restart, which would wait here.
        let committed = try admin.committed(ofGroup: configuration.applicationID, partitions: inputs, stable: false)
        let probe = try RecordProbe(
            properties: configuration.kafkaProperties(client: "consumer"),
            topics: configuration.inputTopics + [configuration.changelogTopic], isStopped: isStopped)
        defer { probe.close() }
        var changelog: [TopicPartition: Watermarks] = [:]
        // The log's ends: an offset's mark may name one behind a transaction that another process left open.
        var ends: [TopicPartition: Int64] = [:]
        for number in 0..<partitions {
            let place = TopicPartition(configuration.changelogTopic, Int32(number))
            changelog[place] = try committedAdmin.watermarks(of: place)
            ends[place] = try admin.watermarks(of: place).high
        }
        let last = try probe.last(of: changelog)
        for (place, record) in last.sorted(by: { $0.key < $1.key }) { try inspect(place, (record.key, record.value)) }
        var marks: [TopicPartition: Watermarks] = [:]
        for input in inputs { marks[input] = try admin.watermarks(of: input) }
        func state(_ input: TopicPartition) -> TopicPartition {
            TopicPartition(configuration.changelogTopic, input.partition)
        }
        var states = last.compactMapValues { $0.text(ofHeader: StateTie.header).map(StateTie.positions) }
        let tails = Tails(configuration, probe, committed: committed, marks: marks, changelog: changelog)
        for (place, named) in states where tails.isSuspect(place, named) {
            states[place] = try tails.believed(place)
        }
        var lastRead: [TopicPartition: Int64] = [:]
        for input in inputs {
            guard let marks = marks[input] else { continue }
            var position = states[state(input)]?[input.topic]
            if let committed = committed[input], committed.offset <= marks.high {
                position = StateTie.Position(committed.offset, last: StateTie.Mark(committed.metadata)?.last)
            }
            guard let position else { continue }
            let offset = position.last?.offset ?? position.offset - 1
            if offset >= marks.low, offset < marks.high { lastRead[input] = offset }
        }
        let records = try probe.first(at: lastRead)
        return inputs.map { input in
            let state = state(input)
            let positions = states[state]
            let record = records[input].flatMap { $0.offset == lastRead[input] ? $0 : nil }
            let end = ends[state] ?? 0
            let isOtherRead = inputs.contains { $0.partition == input.partition && committed[$0] != nil }
            return StateTie.Finding(
                input: input, committed: committed[input], marks: marks[input] ?? Watermarks(low: 0, high: 0),
                found: record.map { LastRecord($0) }, changelogEnd: end,
                hasState: last[state] != nil && (positions == nil || positions?[input.topic] != nil),
                mayHaveMore: last[state] != nil || (changelog[state]?.high ?? 0) < end,
                isUnread: positions == nil && isOtherRead,
                position: positions?[input.topic], disbelieved: tails.disbelieved)
        }
    }

    /// Looks behind the last record of a changelog partition for one that can be believed.
    private final class Tails {
        private let configuration: Configuration
        private let probe: RecordProbe
        private let committed: [TopicPartition: CommittedOffset]
        private let marks: [TopicPartition: Watermarks]
        private let changelog: [TopicPartition: Watermarks]
        private(set) var disbelieved = DisbelievedRecords()
        /// Records of the inputs that are looked at for one partition: each costs a fetch.
        private var looks = 0

        init(
            _ configuration: Configuration, _ probe: RecordProbe, committed: [TopicPartition: CommittedOffset],
            marks: [TopicPartition: Watermarks], changelog: [TopicPartition: Watermarks]
        ) {
            self.configuration = configuration
            self.probe = probe
            self.committed = committed
            self.marks = marks
            self.changelog = changelog
        }

        private func witness(_ input: TopicPartition, found: LastRecord? = nil) -> PositionWitness? {
            marks[input].map {
                PositionWitness(input: input, committed: committed[input], marks: $0, found: found)
            }
        }

        /// The records that were read last before these positions, where they are still there.
        private func lastRead(
            _ positions: [TopicPartition: StateTie.Position]
        ) throws(ImpactError) -> [TopicPartition: LastRecord] {
            let places = positions.mapValues { $0.last?.offset ?? $0.offset - 1 }.filter { place, offset in
                marks[place].map { offset >= $0.low && offset < $0.high } ?? false
            }
            return try probe.first(at: places).filter { $0.value.offset == places[$0.key] }.mapValues { LastRecord($0) }
        }

        /// Whether a header names more than an offset of ours.
        func isSuspect(_ place: TopicPartition, _ named: [String: StateTie.Position]) -> Bool {
            named.contains { topic, position in
                witness(TopicPartition(topic, place.partition))?.mayContradict(position) ?? false
            }
        }

        /// The positions that the last record names which can be believed; nil without one in reach.
        func believed(_ place: TopicPartition) throws(ImpactError) -> [String: StateTie.Position]? {
            guard let range = changelog[place] else { return nil }
            let inputs = configuration.inputTopics.map { TopicPartition($0, place.partition) }
            let found = try lastRead(
                Dictionary(
                    uniqueKeysWithValues: inputs.compactMap { input in
                        committed[input].map {
                            (input, StateTie.Position($0.offset, last: StateTie.Mark($0.metadata)?.last))
                        }
                    }))
            let witnesses = inputs.compactMap { witness($0, found: found[$0]) }
            let tail = try probe.recent(
                place, range, count: configuration.mostUnreadableRecords + 64, isHeadersOnly: true)
            looks = 0
            for record in tail.reversed() {
                guard let text = record.text(ofHeader: StateTie.header) else { continue }
                let named = StateTie.positions(text)
                guard let reason = try contradiction(named, witnesses) else { return named }
                disbelieved.add(place.partition, record.offset, reason)
            }
            return nil
        }

        private func contradiction(
            _ named: [String: StateTie.Position], _ witnesses: [PositionWitness]
        ) throws(ImpactError) -> String? {
            for witness in witnesses {
                guard let position = named[witness.input.topic], witness.mayContradict(position) else { continue }
                var found: LastRecord?
                if position.offset <= witness.marks.high, looks < 100 {
                    looks += 1
                    found = try lastRead([witness.input: position])[witness.input]
                }
                if let reason = witness.contradiction(position, found: found) { return reason }
            }
            return nil
        }
    }

    /// A record that another specification wrote is told by its own fingerprint. One of them among others that can be read is
    /// no sign of other features: restoring sets it aside.
    private func check(_ features: inout FeatureFinding) throws(ImpactError) {
        guard let (place, reason) = features.refusal else { return }
        let probe = try RecordProbe(
            properties: configuration.kafkaProperties(client: "consumer"), topics: [configuration.changelogTopic],
            isStopped: isStopped)
        defer { probe.close() }
        for record in try probe.recent(place, try committedAdmin.watermarks(of: place), count: 64) {
            features.look(at: place, key: record.key, value: record.value)
        }
        if features.refusal != nil { throw Self.otherFeatures("\(place): \(reason)", configuration) }
    }

    /// What a start says when the changelog holds what the model's features cannot read.
    static func otherFeatures(_ finding: String, _ configuration: Configuration) -> ImpactError {
        ImpactError(
            .badConfiguration, code: "state_of_other_features",
            "\(finding)\nThe state of \(configuration.applicationID) was kept for other features than the model's; nothing "
                + "was changed. To change features without losing state, run the new model under a second application.id "
                + "beside this one until it is warm, then switch (docs/state.md). 'impactiq reset' begins anew here: every "
                + "user's features are forgotten, and what is read again is scored and published again")
    }

    static func refusal(
        _ problems: [(TopicPartition, StateTie.Disagreement)], _ configuration: Configuration
    ) -> ImpactError {
        var text = "state and committed offsets of \(configuration.applicationID) do not belong together:\n"
        for (input, problem) in problems.prefix(8) { text += "  \(problem.text(input))\n" }
        if problems.count > 8 { text += "  and \(problems.count - 8) more partitions\n" }
        let advice =
            if problems.contains(where: { $0.1.isOfInput }) {
                "Going on would skip events or count them twice. 'impactiq state align --to beginning' keeps the users' "
                    + "state and reads the topic that is there now from its beginning (events that it has from the old one "
                    + "count again); "
            } else if problems.contains(where: { $0.1.lostUsers > 0 }) {
                "Going on would forget \(problems.reduce(0) { $0 + $1.1.lostUsers }) users: their features would begin empty. "
                    + "Bring the changelog back if you have a copy. Else 'impactiq state align --to committed' goes on without "
                    + "them, and 'impactiq state align --to beginning' counts again what the topic still holds; "
            } else if problems.contains(where: { $0.1.hasOffset }) {
                "Going on would count events twice, or publish scores twice. 'impactiq state align' sets the offsets to "
                    + "where the state stands; 'impactiq state align --to committed' goes on from the offsets as they are; "
            } else {
                "Going on would count events twice, or publish scores twice. 'impactiq state align' sets the offsets to "
                    + "where the state stands; "
            }
        text += advice + "'impactiq reset' begins anew with empty state"
        return ImpactError(.failed, code: "state_offsets_disagree", text)
    }
}
