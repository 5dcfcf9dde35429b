import Base
import Consumer
import Engine
import Features
import Foundation
import Kafka
import Scoring
import Settings

/// Whether state and committed offsets belong together, and the state to the model's features: asked before the first
/// worker starts, and before anything local is touched.
///
/// While the group has members nobody can change its offsets (Kafka refuses it), and members commit meanwhile: then only the
/// features are looked at.
package struct StartCheck {
    private let configuration: Configuration
    private let layout: TopicLayout
    private let admin: Admin
    private let committedAdmin: Admin
    private let isStopped: () -> Bool

    package static func run(
        _ configuration: Configuration, _ plan: FeaturePlan, layout: TopicLayout, admin: Admin,
        isStopped: @escaping () -> Bool
    ) throws(ImpactError) {
        let check = try StartCheck(configuration, layout: layout, admin: admin, isStopped: isStopped)
        defer { check.committedAdmin.close() }
        try check.run(plan)
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

    private func run(_ plan: FeaturePlan) throws(ImpactError) {
        try GrowthMark.check(configuration, admin)
        var problems = try look(plan)
        // A commit's markers are written after its answer, to offsets and changelog one after the other; and another process
        // may have joined and committed between two questions.
        for _ in 0..<10 where !problems.isEmpty && !isStopped() {
            Thread.sleep(forTimeInterval: 0.5)
            problems = try look(plan)
        }
        if problems.isEmpty { return }
        throw Self.refusal(problems, configuration)
    }

    private func look(
        _ plan: FeaturePlan
    ) throws(ImpactError) -> [(TopicPartition, StateTie.Disagreement)] {
        let findings = try Self.findings(
            configuration, partitions: layout.inputPartitions, admin: admin, committedAdmin: committedAdmin,
            isStopped: isStopped
        ) { place, record throws(ImpactError) in try checkFeatures(plan, place, record) }
        let members = try admin.members(ofGroup: configuration.applicationID)
        if !members.isEmpty { return [] }
        for finding in findings {
            guard let committed = finding.committed?.offset, committed < finding.marks.low else { continue }
            Log.warning(
                "pipeline",
                "\(finding.input): retention has removed offsets \(committed) to \(finding.marks.low - 1) before they "
                    + "were read; their events are in no feature. Raise retention.ms above the longest pause")
        }
        return findings.compactMap { finding in
            StateTie.judge(finding, isExactlyOnce: configuration.guarantee == .exactlyOnce).map { (finding.input, $0) }
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
        for number in 0..<partitions {
            let place = TopicPartition(configuration.changelogTopic, Int32(number))
            changelog[place] = try committedAdmin.watermarks(of: place)
        }
        let last = try probe.last(of: changelog)
        for (place, record) in last.sorted(by: { $0.key < $1.key }) { try inspect(place, (record.key, record.value)) }
        var marks: [TopicPartition: Watermarks] = [:]
        for input in inputs { marks[input] = try admin.watermarks(of: input) }
        func state(_ input: TopicPartition) -> TopicPartition {
            TopicPartition(configuration.changelogTopic, input.partition)
        }
        let states = last.compactMapValues { $0.text(ofHeader: StateTie.header).map(StateTie.positions) }
        var before: [TopicPartition: Int64] = [:]
        for input in inputs {
            guard let read = committed[input]?.offset ?? states[state(input)]?[input.topic]?.offset,
                let marks = marks[input], read > marks.low, read <= marks.high
            else { continue }
            before[input] = read - 1
        }
        let records = try probe.first(at: before)
        return inputs.map { input in
            let state = state(input)
            let positions = states[state]
            let record = records[input].flatMap { $0.offset == before[input] ? $0 : nil }
            return StateTie.Finding(
                input: input, committed: committed[input], marks: marks[input] ?? Watermarks(low: 0, high: 0),
                timestampBefore: record?.timestamp, changelogEnd: changelog[state]?.high ?? 0,
                hasState: last[state] != nil && (positions == nil || positions?[input.topic] != nil),
                position: positions?[input.topic])
        }
    }

    /// A record that another specification wrote is told by its own fingerprint.
    private func checkFeatures(
        _ plan: FeaturePlan, _ place: TopicPartition, _ record: (key: [UInt8]?, value: [UInt8]?)
    ) throws(ImpactError) {
        guard let key = record.key, let value = record.value else { return }
        let state = PartitionState(plan: plan)
        let failure: ImpactError? = key.withUnsafeBytes { user in
            value.withUnsafeBytes { record in
                do throws(ImpactError) {
                    try state.restore(user: user, record: record)
                    return nil
                } catch { return error }
            }
        }
        guard let failure else { return }
        throw Self.otherFeatures("\(place): \(failure.message)", configuration)
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
        let isOfInput = problems.contains { $0.1.isOfInput }
        text +=
            isOfInput
            ? "Going on would skip events or count them twice. 'impactiq state align --to beginning' keeps the users' "
                + "state and reads the topic that is there now from its beginning; "
            : "Going on would count events twice, or publish scores twice. 'impactiq state align' sets the offsets to where "
                + "the state stands; 'impactiq state align --to committed' goes on from the offsets as they are; "
        text += "'impactiq reset' begins anew with empty state"
        return ImpactError(.failed, code: "state_offsets_disagree", text)
    }
}
