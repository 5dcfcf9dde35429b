import Base
import Consumer
import Engine
import Foundation
import Kafka
import Settings
import Sinks

/// Moves the state of a stopped application to a larger count of partitions: each user to the partition where their events
/// go from then on.
///
/// ```
/// mark ─► changelog gets its partitions ─► partition by partition, one transaction each:            ─► inputs get theirs
///                                          the user's records to the new place, tombstones behind       ─► offsets, ties
///                                                                                                       ─► unmark
/// ```
/// Each user is in one partition at every moment that a reader of committed records can see, and a second run moves only
/// who is not where they should be: it may be interrupted anywhere and run again. Local copies stay good: the tombstones
/// and the records are in the tail that the next start replays.
package struct StateGrowth {
    /// What there is to do.
    package struct Plan: Sendable {
        package var partitions: Int
        /// Partitions that the inputs, the output and the changelog have now.
        package var inputs: Int
        package var output: Int
        package var changelog: Int
        /// Users in the state, and those who move.
        package var users = 0
        package var moving = 0
        /// Users who are neither where the keys went before nor where they go now.
        package var astray = 0
        /// Partitions with events that were not read yet.
        package var unread: [TopicPartition] = []
        package init(partitions: Int, inputs: Int, output: Int, changelog: Int) {
            self.partitions = partitions
            self.inputs = inputs
            self.output = output
            self.changelog = changelog
        }
    }

    package private(set) var plan: Plan
    private let configuration: Configuration
    private let partitioner: KeyPartition
    private let admin: Admin

    /// Finds out what there is to do, and refuses what cannot be done.
    ///
    /// - Parameter progress: records read so far.
    package init(
        _ configuration: Configuration, to partitions: Int, partitioner: KeyPartition, admin: Admin,
        isStopped: @escaping () -> Bool, progress: (Int) -> Void
    ) throws {
        self.configuration = configuration
        self.partitioner = partitioner
        self.admin = admin
        try TopicRoles.check(configuration)
        let topics = try admin.topics()
        func count(_ topic: String) throws(ImpactError) -> Int {
            guard let found = topics.first(where: { $0.name == topic }) else { throw Admin.missing(topic) }
            return found.partitions
        }
        let inputs = try configuration.inputTopics.map { topic throws(ImpactError) in try count(topic) }
        plan = Plan(
            partitions: partitions, inputs: inputs.max() ?? 0, output: try count(configuration.outputTopic),
            changelog: try count(configuration.changelogTopic))
        guard partitions >= plan.inputs, partitions >= plan.changelog else {
            throw ImpactError(
                .usage, code: "fewer_partitions",
                "--partitions \(partitions): the input has \(plan.inputs) partitions, the changelog \(plan.changelog); "
                    + "Kafka cannot take any away")
        }
        guard !configuration.acceptsAnyKey else {
            throw ImpactError(
                .badConfiguration, code: "growth_needs_keys",
                "input.key=any: the key of an event is not its user, so it cannot be known where a user's events will go. "
                    + "Their partitions stay as they are: make a new input topic, and read it under a second application.id"
            )
        }
        try checkAgreement(inputs.min() ?? 0, isStopped)
        let before = inputs.min().map { min($0, plan.changelog) } ?? plan.changelog
        try Self.forEachUser(configuration, progress: progress) { user, partition in
            plan.users += 1
            let now = partitioner.partition(of: user, among: partitions)
            if now == partition { return }
            plan.moving += 1
            if partitioner.partition(of: user, among: before) != partition { plan.astray += 1 }
        }
        plan.unread = try unread(isStopped)
    }

    /// What moves is what the committed offsets stand for: were they others, the growth would seal the difference.
    ///
    /// An interrupted growth has moved some already; its first run has looked.
    private func checkAgreement(_ inputs: Int, _ isStopped: @escaping () -> Bool) throws(ImpactError) {
        if try GrowthMark.isSet(configuration, admin) { return }
        let committedAdmin = try Admin(
            properties: configuration.kafkaProperties(client: "consumer"), readCommitted: true, component: "grow")
        defer { committedAdmin.close() }
        let findings = try StartCheck.findings(
            configuration, partitions: min(inputs, plan.changelog), admin: admin, committedAdmin: committedAdmin,
            isStopped: isStopped)
        // What is moved is written anew, as ours.
        if let lie = findings.first(where: { !$0.disbelieved.isEmpty }),
            let (offset, reason) = lie.disbelieved[lie.input.partition].min(by: { $0.key < $1.key })
        {
            throw ImpactError(
                .failed, code: "state_changelog_unreadable",
                "\(TopicPartition(configuration.changelogTopic, lie.input.partition)) offset \(offset): \(reason). Let the "
                    + "application run for a moment first: its start sets such records aside")
        }
        let problems = findings.compactMap { finding in
            StateTie.judge(finding, isExactlyOnce: configuration.guarantee == .exactlyOnce).map { (finding.input, $0) }
        }
        if !problems.isEmpty { throw StartCheck.refusal(problems, configuration) }
    }

    /// Input partitions with records behind the committed offset.
    private func unread(_ isStopped: @escaping () -> Bool) throws -> [TopicPartition] {
        let places = configuration.inputTopics.flatMap { topic in
            (0..<plan.changelog).map { TopicPartition(topic, Int32($0)) }
        }
        let committed = try admin.committedOffsets(ofGroup: configuration.applicationID, partitions: places)
        var starts: [TopicPartition: Int64] = [:]
        for place in places where Int(place.partition) < plan.inputs {
            let marks = try admin.watermarks(of: place)
            let next = max(committed[place] ?? marks.low, marks.low)
            if next < marks.high { starts[place] = next }
        }
        let probe = try RecordProbe(
            properties: configuration.kafkaProperties(client: "consumer"), topics: configuration.inputTopics,
            isStopped: isStopped)
        defer { probe.close() }
        return try probe.first(at: starts).keys.sorted()
    }

    /// Every user of the changelog, once, with the partition that has them.
    private static func forEachUser(
        _ configuration: Configuration, progress: (Int) -> Void,
        _ body: (UnsafeRawBufferPointer, Int32) -> Void
    ) throws {
        let reader = try ChangelogReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: configuration.changelogTopic)
        defer { reader.close() }
        for partition in 0..<Int32(try reader.partitions()) {
            var users: Set<[UInt8]> = []
            try reader.read(from: [partition: nil]) { _, _, user, record in
                if record == nil { users.remove(Array(user)) } else { users.insert(Array(user)) }
                if reader.count % 10_000 == 0 { progress(reader.count) }
            }
            for user in users { user.withUnsafeBytes { body($0, partition) } }
        }
    }

    /// Does it.
    package func carryOut(isStopped: @escaping () -> Bool = { false }, progress: (Int) -> Void) throws {
        try GrowthMark.set(configuration, to: plan.partitions, admin)
        if plan.changelog < plan.partitions { try admin.grow(topic: configuration.changelogTopic, to: plan.partitions) }
        try move(progress)
        // Where each score goes beside its event, it should do so still.
        if plan.output < plan.partitions, plan.output == plan.inputs || plan.output == plan.changelog {
            try admin.grow(topic: configuration.outputTopic, to: plan.partitions)
        }
        for topic in configuration.inputTopics {
            guard let description = try admin.describe(topic) else { throw Admin.missing(topic) }
            if description.partitions < plan.partitions { try admin.grow(topic: topic, to: plan.partitions) }
        }
        try beginNew()
        try tie(isStopped)
        try GrowthMark.clear(configuration, admin)
    }

    private func makeProducer() throws(ImpactError) -> OutputProducer {
        var options = ProducerOptions(transactionalID: "\(configuration.applicationID)-grow")
        options.transactionTimeoutMilliseconds = 600_000
        let producer = try OutputProducer(
            properties: configuration.kafkaProperties(client: "producer"), options: options, component: "grow")
        // Ends what a run before this one left open.
        producer.start()
        return producer
    }

    private func move(_ progress: (Int) -> Void) throws {
        let producer = try makeProducer()
        defer { producer.close() }
        let topic = try producer.topic(configuration.changelogTopic)
        let reader = try ChangelogReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: configuration.changelogTopic)
        defer { reader.close() }
        var moved = 0
        for partition in 0..<Int32(plan.partitions) {
            // Where each user's last record stands who is to go. What an earlier run has moved ends in a tombstone here.
            var last: [[UInt8]: Int64] = [:]
            try reader.read(from: [partition: nil]) { _, offset, user, record in
                if partitioner.partition(of: user, among: plan.partitions) == partition { return }
                last[Array(user)] = record == nil ? nil : offset
            }
            if last.isEmpty { continue }
            producer.begin()
            do {
                try reader.read(from: [partition: nil]) { _, offset, user, record in
                    guard let record, last[Array(user)] == offset else { return }
                    let target = partitioner.partition(of: user, among: plan.partitions)
                    try producer.produce(topic, partition: target, key: user, value: record, timestamp: Self.now)
                    try producer.produce(topic, partition: partition, key: user, value: nil, timestamp: Self.now)
                }
            } catch let error as KafkaError {
                throw error.impactError(doing: "writing to \(configuration.changelogTopic)")
            }
            switch producer.commit() {
            case .committed: break
            default:
                throw ImpactError(
                    .failed, code: "growth_unfinished",
                    "partition \(partition) of \(configuration.changelogTopic) was not moved; run it again")
            }
            moved += last.count
            progress(moved)
        }
    }

    /// New input partitions are read from their beginning: said with the group's consent, since they have state before they
    /// have an offset.
    private func beginNew() throws {
        let committed = try committed()
        var offsets: [TopicPartition: CommittedOffset] = [:]
        for place in places {
            if let old = committed[place] {
                // All its users may have moved.
                guard var mark = StateTie.Mark(old.metadata), mark.users > 0 else { continue }
                mark.users = 0
                offsets[place] = CommittedOffset(old.offset, metadata: mark.text)
            } else {
                let mark = StateTie.Mark(last: nil, users: 0, changelog: 0, isAligned: true)
                offsets[place] = CommittedOffset(try admin.watermarks(of: place).low, metadata: mark.text)
            }
        }
        try admin.alterOffsets(ofGroup: configuration.applicationID, to: offsets)
    }

    /// Lets each changelog partition end with the input's positions again, as a commit does: the moves stand behind the
    /// last commit. Writes each partition's last record once more, which changes nothing else.
    private func tie(_ isStopped: @escaping () -> Bool) throws {
        let changelog = configuration.changelogTopic
        let committedAdmin = try Admin(
            properties: configuration.kafkaProperties(client: "consumer"), readCommitted: true, component: "grow")
        defer { committedAdmin.close() }
        var marks: [TopicPartition: Watermarks] = [:]
        for (number, found) in try committedAdmin.watermarks(ofTopic: changelog).enumerated() {
            marks[TopicPartition(changelog, Int32(number))] = found
        }
        let probe = try RecordProbe(
            properties: configuration.kafkaProperties(client: "consumer"), topics: [changelog], isStopped: isStopped)
        defer { probe.close() }
        let last = try probe.last(of: marks)
        let positions = try committed().mapValues {
            StateTie.Position($0.offset, last: StateTie.Mark($0.metadata)?.last)
        }
        let producer = try makeProducer()
        defer { producer.close() }
        let topic = try producer.topic(changelog)
        producer.begin()
        for (place, record) in last {
            let own = positions.filter { $0.key.partition == place.partition }
            try (record.key ?? []).withUnsafeBytes { key in
                try (record.value ?? []).withUnsafeBytes { value in
                    do throws(KafkaError) {
                        try producer.produce(
                            topic, partition: place.partition, key: key, value: record.value == nil ? nil : value,
                            headers: [RecordHeader(StateTie.header, text: StateTie.text(own))], timestamp: Self.now)
                    } catch { throw error.impactError(doing: "writing to \(changelog)") }
                }
            }
        }
        guard case .committed = producer.commit() else {
            throw ImpactError(
                .failed, code: "growth_unfinished", "the positions were not written to \(changelog); run it again")
        }
    }

    /// The inputs' partitions, new ones among them.
    private var places: [TopicPartition] {
        configuration.inputTopics.flatMap { topic in
            (0..<plan.partitions).map { TopicPartition(topic, Int32($0)) }
        }
    }

    private func committed() throws(ImpactError) -> [TopicPartition: CommittedOffset] {
        try admin.committed(ofGroup: configuration.applicationID, partitions: places, stable: false)
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
}
