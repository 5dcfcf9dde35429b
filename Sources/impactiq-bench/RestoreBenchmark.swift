import Base
import Consumer
import Engine
import Events
import Features
import Foundation
import Kafka
import Pipeline
import Scoring
import Sinks
import StateStore
import Terminal

/// `impactiq-bench restore`: how fast state comes back, beside a plain read of the same changelog in the same round, and
/// how many bytes per user takes in memory, in RocksDB and on the changelog.
struct RestoreBenchmark {
    let properties: KafkaProperties
    let topic: String
    let users: Int
    let partitions: Int
    let plan: FeaturePlan
    let folder: URL
    let changelogBytes: Int

    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "restore", "Restoring state beside a plain read of the same changelog, on a Kafka broker",
            options: [
                .value("bootstrap", "HOST:PORT", "The broker", required: true),
                .value("users", "N", "Users, one record each", default: "2M"),
                .value("partitions", "N", "Partitions of the changelog", default: "4"),
                .value("events", "N", "Events that each user has had", default: "8"),
                .value("rounds", "N", "Rounds; the first warms up and does not count", default: "4"),
                .value("model", "FILE", "The model with its features", default: "Tests/Golden/econml-demo.model"),
                .flag("json", "Print one JSON object"),
            ],
            examples: [.init("restore --bootstrap localhost:9092 --users 2M", "the issue's figures")])
        guard case .run(let command) = try specification.parse(words) else {
            if case .help(let text) = try specification.parse(words) { Terminal.Stream.output.write(text) }
            return
        }
        Log.setLevel(.warning)
        let model = try Model.open(path: command.text("model") ?? "")
        let plan = try Processor.plan(of: model, scoreEvents: ["ad_view", "click"])
        let fill = ChangelogFill(
            properties: ["bootstrap.servers": command.text("bootstrap") ?? ""],
            topic: "bench-changelog-\(UInt32.random(in: 0 ... .max))", users: try command.count("users") ?? 0,
            partitions: try command.count("partitions") ?? 4, eventsPerUser: try command.count("events") ?? 8,
            plan: plan)
        let bytes = try fill.run()
        let benchmark = RestoreBenchmark(
            properties: fill.properties, topic: fill.topic, users: fill.users, partitions: fill.partitions, plan: plan,
            folder: FileManager.default.temporaryDirectory.appending(path: fill.topic), changelogBytes: bytes)
        defer {
            try? FileManager.default.removeItem(at: benchmark.folder)
            let admin = try? Admin(properties: fill.properties)
            try? admin?.delete(topics: [fill.topic])
        }
        try benchmark.measure(rounds: max(2, try command.count("rounds") ?? 4), json: command.flag("json"))
    }

    private func measure(rounds: Int, json: Bool) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let store = try StateStore(path: folder.appending(path: "rocksdb-0").path)
        let ends = try ends()
        let local = LocalState(store: store, changelog: topic) { partition in
            .init(stable: ends[Int(partition)], start: 0, time: LocalState.now())
        }
        defer { local.close() }
        var rows = [
            "plain read of the changelog", "restore from the changelog", "write the local copy",
            "restore from the copy",
        ].map { Measurement($0) }
        var memory = 0
        for round in 0..<rounds {
            let plain = try plainRead()
            let (shards, fromLog) = try restore(nil)
            memory = shards.reduce(0) { $0 + $1.state.memoryBytes }
            let saved = try save(shards, local)
            let (copies, fromCopy) = try restore(local)
            guard copies.reduce(0, { $0 + $1.state.userCount }) == users else {
                throw ImpactError(.failed, code: "bench", "the local copy lacks users")
            }
            for partition in 0..<partitions { try store.erase(Int32(partition)) }
            if round > 0 {
                for (i, rate) in [plain, fromLog, saved, fromCopy].enumerated() { rows[i].add(rate, baseline: plain) }
            }
            if round == 0 { try report(memory, local, shards, json: json) }
        }
        let table = RoundTable(
            "restore", conditions: "\(users) users, \(partitions) partitions", unit: "users/s", rows, hasBaseline: true)
        Terminal.Stream.output.write(json ? table.json.line + "\n" : "\n" + table.text(against: nil))
    }

    /// Bytes a user, from the first round: the store holds each record once then.
    private func report(_ memory: Int, _ local: LocalState, _ shards: [Shard], json: Bool) throws {
        try saveAgain(shards, local)
        try local.store.flush()
        try local.store.compact()
        let files = local.store.fileBytes
        for partition in 0..<partitions { try local.store.erase(Int32(partition)) }
        let perUser = [memory, files, changelogBytes].map { Double($0) / Double(users) }
        if json {
            let object: JSONOutput = [
                "users": .integer(users), "features": .integer(plan.count),
                "bytes_per_user": [
                    "memory": .number(perUser[0]), "rocksdb": .number(perUser[1]), "changelog": .number(perUser[2]),
                ],
            ]
            Terminal.Stream.output.write(object.line + "\n")
            return
        }
        var table = Table(.text("bytes per user"), .number("bytes"), .number("in all"))
        for (name, value, all) in [
            ("in memory: record, table, undo log", perUser[0], memory), ("in RocksDB's files (LZ4)", perUser[1], files),
            ("on the changelog: key and value", perUser[2], changelogBytes),
        ] { table.add(name, HumanNumber.decimals(value, 1), HumanNumber.bytes(all)) }
        Terminal.Stream.output.write(
            "\(HumanNumber.grouped(users)) users, \(plan.count) features, \(partitions) partitions\n\n" + table.text())
    }

    private func ends() throws -> [Int64] {
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        return try admin.watermarks(ofTopic: topic).map(\.high)
    }

    /// Records a second.
    private func rate(_ begin: ContinuousClock.Instant) -> Double {
        Double(users) / ((.now - begin) / .seconds(1))
    }

    /// The same consumer settings as restoring; looks at no record.
    private func plainRead() throws -> Double {
        let reader = try ChangelogReader(properties: properties, topic: topic, prefetchBytes: 32 << 20)
        defer { reader.close() }
        let begin = ContinuousClock.now
        try reader.read(from: Dictionary(uniqueKeysWithValues: (0..<partitions).map { (Int32($0), nil) })) {
            _, _, _, _ in
        }
        return rate(begin)
    }

    /// The product's own restorer, until every partition is done.
    private func restore(_ local: LocalState?) throws -> ([Shard], Double) {
        let restorer = try StateRestorer(
            properties: properties, topic: topic, metrics: PipelineMetrics(), component: "bench")
        defer { restorer.close() }
        let shards = (0..<partitions).map { Shard(Int32($0), topics: [topic], plan: plan) }
        if let local { for shard in shards { adopt(shard, local) } }
        let begin = ContinuousClock.now
        try restorer.add(shards)
        var done = 0
        while done < shards.count { done += try restorer.step(timeoutMilliseconds: 20).count }
        return (shards, rate(begin))
    }

    private func adopt(_ shard: Shard, _ local: LocalState) {
        shard.checkpoint = ShardCheckpoint(
            local, local.acquire(shard.partition.partition), intervalMilliseconds: 1, component: "bench")
    }

    private func save(_ shards: [Shard], _ local: LocalState) throws -> Double {
        let begin = ContinuousClock.now
        try saveAgain(shards, local)
        return rate(begin)
    }

    /// One pass over all shards, every user.
    private func saveAgain(_ shards: [Shard], _ local: LocalState) throws {
        for shard in shards {
            adopt(shard, local)
            shard.checkpoint?.noteAll()
        }
        var left = shards
        while !left.isEmpty {
            for shard in left {
                shard.checkpoint?.advance(shard.state, until: .now + .milliseconds(20), isProven: true)
            }
            left.removeAll { $0.checkpoint?.isBehind == false && $0.checkpoint?.phase == .idle }
        }
    }
}

/// A changelog with one record per user.
struct ChangelogFill {
    let properties: KafkaProperties
    let topic: String
    let users: Int
    let partitions: Int
    let eventsPerUser: Int
    let plan: FeaturePlan
    private static let usersAtOnce = 256

    /// - Returns: bytes of keys and values.
    func run() throws -> Int {
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        try admin.create([.changelog(topic, partitions: partitions)])
        let producer = try OutputProducer(properties: properties, options: ProducerOptions())
        defer { producer.close() }
        let output = try producer.topic(topic)
        let batch = EventBatch(schema: plan.schema, capacity: Self.usersAtOnce * eventsPerUser)
        let text = ByteBuffer(capacity: 1 << 12)
        let progress = ProgressLine("fill the changelog", total: users, unit: "users")
        var bytes = 0
        var next = 0
        var number = 0
        while next < users {
            let partition = Int32(number % partitions)
            number += 1
            let shard = Shard(partition, topics: [topic], plan: plan)
            // A shard's first chunk of memory holds some thousand users.
            for _ in 0..<32 where next < users {
                let range = next..<min(users, next + Self.usersAtOnce)
                try apply(range, to: shard.state, batch, text)
                _ = shard.collectChangelog()
                try shard.content.takeOutputs { (records, arena) throws(KafkaError) in
                    for record in records { bytes += Int(record.keyCount) + Int(max(0, record.valueCount)) }
                    try producer.produceBatchNow(output, partition: partition, records, bytes: arena)
                }
                shard.accept()
                next = range.upperBound
            }
            progress.update(next)
        }
        try producer.flush()
        progress.finish(next)
        return bytes
    }

    private func apply(_ users: Range<Int>, to state: PartitionState, _ batch: EventBatch, _ text: ByteBuffer) throws {
        let types: [StaticString] = ["page_view", "ad_view", "click", "page_view", "add_to_cart", "purchase"]
        let devices: [StaticString] = ["Mobile", "Desktop"]
        batch.removeAll()
        for user in users {
            for i in 0..<eventsPerUser {
                text.removeAll()
                text.append("{\"user_id\":\"user-")
                text.append(Int64(user))
                let keyEnd = text.count
                text.append("\",\"id\":\"e-")
                text.append(Int64(user * eventsPerUser + i))
                text.append("\",\"type\":\"")
                text.append(types[(user + i) % types.count])
                text.append("\",\"time\":")
                // Over a fortnight, so that windows hold several buckets.
                text.append(1_767_225_600_000 + Int64(i) * 120_000_000 + Int64(user % 86_400) * 1_000)
                text.append(",\"channel\":\"social\",\"value\":")
                text.append(Int64(user % 100))
                text.append(
                    ",\"properties\":{\"recency\":4,\"history\":120,\"tenure\":300,\"newsletter\":1,\"device_type\":\"")
                text.append(devices[user % 2])
                text.append("\"}}")
                try batch.append(text.bytes, key: text.bytes(12..<keyEnd), source: SourcePosition())
            }
        }
        state.apply(batch) { _, _ in }
    }
}
