import Base
import Features
import Kafka
import Pipeline
import Settings
import Terminal

/// `impactiq state placement`: which partitioner put the users where they are, and who is split.
enum StatePlacement: Command {
    static let specification = CommandSpecification(
        "placement", "Count users by the partitioner that placed them, and those split over partitions",
        discussion: """
            Reads the changelog. A user whose events come from producers with different partitioners has state in several \
            partitions, each with a part of the history: their features are too small. Java clients and this program place \
            keys by murmur2; librdkafka and clients that stand on it (Python, Go, C, .NET) by crc32, unless their property \
            partitioner says otherwise (murmur2_random is what the Java clients do).
            """,
        options: [.flag("json", "Print one JSON object")],
        examples: [.init("impactiq state placement --config impactiq.properties", "before another producer is added")])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let reader = try ChangelogReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: configuration.changelogTopic)
        defer { reader.close() }
        let partitions = try reader.partitions()
        let progress = ProgressLine("reading the changelog", total: partitions, unit: "partitions")
        var places: [[UInt8]: Set<Int32>] = [:]
        var unreadable = 0
        for partition in 0..<Int32(partitions) {
            var damaged: Set<[UInt8]> = []
            try reader.read(from: [partition: nil]) { _, _, user, record in
                if let record, !UserRecordCodec.isIntact(record, user: user) {
                    damaged.insert(Array(user))
                } else if !damaged.isEmpty {
                    damaged.remove(Array(user))
                }
                if record == nil {
                    places[Array(user)]?.remove(partition)
                } else {
                    places[Array(user), default: []].insert(partition)
                }
            }
            unreadable += damaged.count
            progress.update(Int(partition) + 1)
        }
        progress.finish(partitions)
        var counts: [KeyPartition: Int] = [:]
        var users = 0, split = 0, other = 0
        for (user, places) in places where !places.isEmpty {
            users += 1
            if places.count > 1 { split += 1 }
            let fitting = KeyPartition.allCases.filter { partitioner in
                user.withUnsafeBytes { places.contains(partitioner.partition(of: $0, among: partitions)) }
            }
            for partitioner in fitting { counts[partitioner, default: 0] += 1 }
            if fitting.isEmpty { other += 1 }
        }
        if command.flag("json") {
            let object: JSONOutput = [
                "partitions": .integer(partitions), "users": .integer(users), "split": .integer(split),
                "murmur2": .integer(counts[.murmur2] ?? 0), "crc32": .integer(counts[.crc32] ?? 0),
                "fnv1a": .integer(counts[.fnv1a] ?? 0), "none": .integer(other),
                "unreadable": .integer(unreadable),
            ]
            Terminal.Stream.output.write(object.line + "\n")
            return
        }
        var table = Table(.text("placed as by"), .number("users"))
        for partitioner in KeyPartition.allCases {
            table.add(partitioner.rawValue, HumanNumber.grouped(counts[partitioner] ?? 0))
        }
        table.add("none of these", HumanNumber.grouped(other))
        Terminal.Stream.output.write(table.text())
        Terminal.Stream.output.write(
            "\(HumanNumber.grouped(users)) users in \(partitions) partitions (a user fits several by chance); "
                + "\(HumanNumber.grouped(split)) have state in more than one partition\n")
        if unreadable > 0 {
            Terminal.Stream.output.write(StateVerifyCommand.unreadable(unreadable, configuration.changelogTopic))
        }
    }
}
