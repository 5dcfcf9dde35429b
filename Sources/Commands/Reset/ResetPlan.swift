import Base
import Foundation
import Kafka
import Pipeline
import Settings
import Terminal

/// What a reset does: found out first, shown, then carried out in an order that may be interrupted anywhere.
struct ResetPlan {
    struct Offset {
        var partition: TopicPartition
        var committed: Int64?
        var next: Int64
    }

    private var offsets: [Offset] = []
    private var changelog: TopicPlan
    /// Records in the changelog; nil when the topic is not there.
    private var changelogRecords: Int?
    /// Partitions that the changelog has now.
    private var changelogPartitions: Int?
    private var stateFolder: String
    private var stateFiles: [String] = []
    private let place: String

    /// - Throws: `application_running` when the group has members.
    init(_ command: ParsedCommand, _ configuration: Configuration, _ admin: Admin) throws {
        try Self.refuseLive(configuration, admin)
        place = command.text("to") ?? "beginning"
        stateFolder = try StateFolder.prepare(configuration)
        stateFiles = try Self.ownFiles(in: stateFolder)
        let committed = try admin.committedOffsets(ofGroup: configuration.applicationID)
        var partitions = 0
        for topic in configuration.inputTopics {
            let marks = try admin.watermarks(ofTopic: topic)
            partitions = max(partitions, marks.count)
            let all = marks.indices.map { TopicPartition(topic, Int32($0)) }
            let starts = try Self.starts(command, admin, all, marks)
            for (i, partition) in all.enumerated() {
                offsets.append(Offset(partition: partition, committed: committed[partition], next: starts[i]))
            }
        }
        changelog = .changelog(configuration.changelogTopic, partitions: partitions)
        if let description = try admin.describe(changelog.name) {
            // As many as the input has now, whatever it had: state moves with its partition.
            changelogPartitions = description.partitions
            changelog.replicationFactor = description.replicationFactor
            changelog.settings = try admin.ownSettings(of: changelog.name)
            changelogRecords = try admin.watermarks(ofTopic: changelog.name).reduce(0) { $0 + Int($1.high - $1.low) }
        }
    }

    static func refuseLive(_ configuration: Configuration, _ admin: Admin) throws {
        let members = try admin.members(ofGroup: configuration.applicationID)
        if members.isEmpty { return }
        let names = members.prefix(5).map { "\($0.clientID) at \($0.host)" }.joined(separator: ", ")
        let isStatic = members.contains { $0.instanceID != nil }
        throw ImpactError(
            .failed, code: "application_running",
            "application \(configuration.applicationID) has \(members.count) members (\(names)): stop them first"
                + (isStatic
                    ? ". A static member that was killed stays until its session.timeout.ms is over; one that has stopped while the group waited "
                        + "for another stays as long again" : ""))
    }

    private static func starts(
        _ command: ParsedCommand, _ admin: Admin, _ partitions: [TopicPartition], _ marks: [Watermarks]
    ) throws -> [Int64] {
        switch command.text("to") {
        case nil, "beginning": return marks.map(\.low)
        case "end": return marks.map(\.high)
        default:
            guard let time = try DeadLetterSelection.time(command, "to") else { return marks.map(\.low) }
            let found = try admin.offsets(atOrAfter: time, of: partitions)
            return partitions.indices.map { found[partitions[$0]] ?? marks[$0].high }
        }
    }

    /// What the engine keeps in its state folder. Anything else there is somebody's and stays.
    private static func ownFiles(in folder: String) throws -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        // The identity stays: it lets the next start end a transaction that the last process left open.
        return names.filter { name in
            !name.hasSuffix(".id") && StateFolder.ownNames.contains { name.hasPrefix($0) }
        }.sorted()
    }

    var table: Table {
        var table = Table(.text("what"), .text("now"), .text("then"))
        for offset in offsets {
            table.add(
                "offset of \(offset.partition)", offset.committed.map { "\($0)" } ?? "none", "\(offset.next) (\(place))"
            )
        }
        let now = changelogPartitions.map { $0 == changelog.partitions ? "" : ", \($0) partitions" } ?? ""
        let records = changelogRecords.map { "\(HumanNumber.grouped($0)) records\(now)" } ?? "not there"
        table.add("topic \(changelog.name)", records, "empty, \(changelog.partitions) partitions")
        let files = stateFiles.isEmpty ? "nothing" : stateFiles.joined(separator: " ")
        table.add("folder \(stateFolder)", files, stateFiles.isEmpty ? "nothing" : "deleted")
        return table
    }

    func json(isDone: Bool) -> JSONOutput {
        .object([
            (name: "done", value: .bool(isDone)),
            (
                name: "offsets",
                value: .array(
                    offsets.map { offset in
                        .object([
                            (name: "topic", value: .text(offset.partition.topic)),
                            (name: "partition", value: .integer(Int(offset.partition.partition))),
                            (name: "committed", value: offset.committed.map { .integer(Int($0)) } ?? .null),
                            (name: "next", value: .integer(Int(offset.next))),
                        ])
                    })
            ),
            (name: "changelog", value: .text(changelog.name)),
            (name: "changelog_records", value: changelogRecords.map { .integer($0) } ?? .null),
            (name: "state_folder", value: .text(stateFolder)),
            (name: "state_files", value: .array(stateFiles.map { .text($0) })),
        ])
    }

    /// Local state first, then the changelog, then the offsets, the new changelog last: whatever interrupts it, old state
    /// never meets new offsets, because without its changelog the pipeline does not start.
    func carryOut(_ configuration: Configuration, _ admin: Admin) throws {
        for name in stateFiles {
            do { try FileManager.default.removeItem(atPath: "\(stateFolder)/\(name)") } catch {
                throw ImpactError(
                    .failed, code: "state_dir_unwritable",
                    "cannot delete \(stateFolder)/\(name): \(error.localizedDescription)")
            }
        }
        try admin.delete(topics: [changelog.name])
        try GrowthMark.clear(configuration, admin)
        try admin.alterOffsets(
            ofGroup: configuration.applicationID,
            to: Dictionary(uniqueKeysWithValues: offsets.map { ($0.partition, $0.next) }))
        // The broker deletes a topic a moment after it says so.
        for _ in 0..<300 {
            if try admin.create([changelog])[changelog.name] == .created { return }
            usleep(100_000)
        }
        throw ImpactError(
            .failed, code: "changelog_not_deleted",
            "\(changelog.name) was deleted but is still there after 30 s; run the reset again")
    }
}
