import Base
import Engine
import Events
import Features
import Foundation
import Kafka
import Pipeline
import Scoring
import StateStore
import Synchronization
import Terminal

/// `impactiq-bench spill`: more users than memory may hold, without a broker: state, commits, passes into the local copy,
/// eviction and bringing back, as a worker does them.
final class SpillBenchmark {
    private let plan: FeaturePlan
    private let users: Int
    private let shards: [Shard]
    private let spill: WorkerSpill?
    private let local: LocalState
    private let batch: EventBatch
    private let text = ByteBuffer(capacity: 1 << 12)
    private var random = SystemRandomNumberGenerator()
    private var number = 0
    private var mostResident = 0
    /// Users of one batch, and batches of one commit: about what a lagging worker has.
    private static let batchEvents = 1_024
    private static let batchesPerCommit = 32

    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "spill", "More users than memory may hold: how fast, and how much memory",
            options: [
                .value("users", "N", "Users", default: "10M"),
                .value("memory", "BYTES", "Bound of records, tables and undo logs; 0 is none", default: "1GiB"),
                .value("cache", "BYTES", "state.cache.bytes", default: "128MiB"),
                .value("events", "N", "Events of random users after all users are there", default: "2M"),
                .value("partitions", "N", "Partitions", default: "4"),
                .value("dir", "FOLDER", "Where the local copy is written; the temporary folder when not given"),
                .value("model", "FILE", "The model with its features", default: "Tests/Golden/econml-demo.model"),
                .flag("json", "Print one JSON object"),
            ],
            examples: [.init("spill --users 10M --memory 1GiB", "ten million users in a gibibyte")])
        guard case .run(let command) = try specification.parse(words) else {
            if case .help(let text) = try specification.parse(words) { Terminal.Stream.output.write(text) }
            return
        }
        Log.setLevel(.warning)
        let model = try Model.open(path: command.text("model") ?? "")
        let plan = try Processor.plan(of: model, scoreEvents: ["ad_view", "click"])
        let base = command.text("dir").map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
        let folder = base.appending(path: "bench-spill-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let benchmark = try SpillBenchmark(
            plan: plan, users: try command.count("users") ?? 0, memory: try command.bytes("memory") ?? 0,
            cache: try command.bytes("cache") ?? 0, partitions: try command.count("partitions") ?? 4,
            path: folder.appending(path: "rocksdb-0").path)
        try benchmark.measure(events: try command.count("events") ?? 0, json: command.flag("json"))
    }

    private init(plan: FeaturePlan, users: Int, memory: Int, cache: Int, partitions: Int, path: String) throws {
        self.plan = plan
        self.users = users
        var options = StateStore.Options()
        options.cacheBytes = max(1 << 20, cache)
        options.writeBufferBytes = max(2 << 20, cache / 2)
        let store = try StateStore(path: path, options: options)
        // Nobody else writes: the changelog's end may be claimed at any time.
        let end = Atomic64()
        local = LocalState(store: store, changelog: "bench") { _ in
            .init(stable: end.next(), start: 0, time: LocalState.now())
        }
        shards = (0..<partitions).map { Shard(Int32($0), topics: ["bench"], plan: plan) }
        for shard in shards {
            shard.checkpoint = ShardCheckpoint(
                local, local.acquire(shard.partition.partition), intervalMilliseconds: 15_000, component: "bench")
        }
        spill = memory > 0 ? WorkerSpill(bound: memory, store: store) : nil
        batch = EventBatch(schema: plan.schema, capacity: Self.batchEvents)
    }

    private final class Atomic64: Sendable {
        private let value = Atomic<Int64>(0)
        func next() -> Int64 { value.wrappingAdd(1, ordering: .relaxed).newValue }
    }

    private func measure(events: Int, json: Bool) throws {
        let created = try play(users, label: "create") { $0 }
        let each = max(1, users / shards.count)
        let random = try play(events, label: "random") { _ in Int.random(in: 0..<each, using: &self.random) }
        let hot = max(1, each / 100)
        let skewed = try play(events, label: "hot") { _ in
            let isHot = Int.random(in: 0..<20, using: &self.random) > 0
            return Int.random(in: 0..<(isHot ? hot : each), using: &self.random)
        }
        let resident = WorkerSpill.used(shards)
        let inMemory = shards.reduce(0) { $0 + $1.state.userCount }
        try local.store.flush()
        let peak = Self.peakResidentBytes()
        if json {
            let object: JSONOutput = [
                "users": .integer(users), "created_per_second": .number(created), "random_per_second": .number(random),
                "hot_per_second": .number(skewed), "users_in_memory": .integer(inMemory),
                "state_bytes": .integer(resident), "most_state_bytes": .integer(mostResident),
                "bound": .integer(spill?.bound ?? 0), "store_memory_bytes": .integer(local.store.memoryBytes),
                "store_file_bytes": .integer(local.store.fileBytes), "process_peak_bytes": .integer(peak),
                "evicted": .integer(spill?.evicted ?? 0), "brought_back": .integer(spill?.loaded ?? 0),
            ]
            Terminal.Stream.output.write(object.line + "\n")
        } else {
            var rates = Table(.text("events of"), .number("events/s"))
            rates.add("\(HumanNumber.grouped(users)) users, one each, all new", HumanNumber.short(created))
            rates.add("users drawn evenly", HumanNumber.short(random))
            rates.add("a hundredth of the users, 19 times in 20", HumanNumber.short(skewed))
            var memory = Table(.text("memory"), .number("bytes"))
            for (name, bytes) in [
                ("bound of the state", spill?.bound ?? 0), ("state: most at any commit", mostResident),
                ("state: now, \(HumanNumber.grouped(inMemory)) users", resident),
                ("the store's own memory", local.store.memoryBytes), ("the process at its peak", peak),
                ("the store's files", local.store.fileBytes),
            ] { memory.add(name, HumanNumber.bytes(bytes)) }
            Terminal.Stream.output.write(
                rates.text() + "\n" + memory.text()
                    + "\nevicted \(HumanNumber.grouped(spill?.evicted ?? 0)), "
                    + "brought back \(HumanNumber.grouped(spill?.loaded ?? 0))\n")
        }
        local.close()
    }

    /// Events a second, commits, passes and evictions included.
    private func play(_ events: Int, label: String, user: (Int) -> Int) throws -> Double {
        let progress = ProgressLine(label, total: events, unit: "events")
        let begin = ContinuousClock.now
        var done = 0
        var batches = 0
        while done < events {
            // A batch belongs to one partition, as a fetch does.
            let partition = batches % shards.count
            batch.removeAll()
            while batch.count < Self.batchEvents, done < events {
                // A number within the partition, so that a user is always in the same one.
                let place = batches / shards.count * Self.batchEvents + batch.count
                try append(user(place) * shards.count + partition)
                done += 1
            }
            let shard = shards[partition]
            try spill?.load(shard, batch, 0..<batch.count)
            shard.state.apply(batch) { _, _ in }
            batches += 1
            if batches % Self.batchesPerCommit == 0 || done == events { try commit() }
            progress.update(done)
        }
        progress.finish(done)
        return Double(events) / ((.now - begin) / .seconds(1))
    }

    private func commit() throws {
        mostResident = max(mostResident, WorkerSpill.used(shards))
        let until = ContinuousClock.now + .milliseconds(2)
        for shard in shards {
            _ = shard.collectChangelog()
            shard.content.takeOutputs { _, _ in }
            shard.accept()
            shard.checkpoint?.advance(shard.state, until: until, isProven: true)
        }
        try spill?.relieve(shards)
    }

    private func append(_ user: Int) throws {
        text.removeAll()
        text.append("{\"user_id\":\"user-")
        text.append(Int64(user))
        let keyEnd = text.count
        text.append("\",\"id\":\"e-")
        number += 1
        text.append(Int64(number))
        text.append("\",\"type\":\"page_view\",\"time\":")
        text.append(1_767_225_600_000 + Int64(number) / 100)
        text.append(
            ",\"channel\":\"social\",\"properties\":{\"recency\":4,\"history\":120,\"device_type\":\"Mobile\"}}")
        try batch.append(text.bytes, key: text.bytes(12..<keyEnd), source: SourcePosition())
    }

    /// `VmHWM` of this process.
    private static func peakResidentBytes() -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let kilobytes = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
        return (kilobytes ?? 0) << 10
    }
}
