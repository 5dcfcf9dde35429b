import Foundation
import Sinks
import TestSupport
import Testing

/// The laws of a log store, which every implementation must keep.
@Suite("Log store conformance") struct LogStoreConformanceTests {
    let output = ScoreBatch.output

    func scores(_ offsets: Range<Int64>, partition: Int32 = 0, seed: UInt64 = 1) -> [TestScore] {
        offsets.map { offset in
            var generator = SeededGenerator(seed: seed &* 1_000_003 &+ UInt64(partition) &* 7_919 &+ UInt64(offset))
            return TestScore.random(partition: partition, offset: offset, using: &generator)
        }
    }

    @Test("A new database holds nothing", arguments: DatabaseKind.available)
    func empty(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        #expect(try store.positions(of: output).isEmpty)
        #expect(try store.sources().isEmpty)
        #expect(try store.rowCount(user: nil) == 0)
        let nothing = ScoreBatch(source: output, capacity: 1)
        #expect(try store.append(nothing) == .stored(inserted: 0, duplicates: 0, erased: 0))
        #expect(try store.positions(of: output).isEmpty)
    }

    @Test(
        "Predictions come back, the latest first, each once; a user's go with the user",
        arguments: DatabaseKind.available)
    func predictions(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        func prediction(_ user: String, _ time: Int64, _ probability: Double) -> StoredPrediction {
            StoredPrediction(
                user: user, time: time, model: "shop", modelVersion: "7", outcome: "buys", probability: probability,
                confidence: "high", impacts: #"[{"feature":"Grüße","impact":0.1}]"#)
        }
        let (first, second) = (prediction("u'1", 5, 0.1 + 0.2), prediction("u'1", 9, .nan))
        try store.append(predictions: [first, second, prediction("other", 7, 1)])
        try store.append(predictions: [first, prediction("u'1", 5, 0.9)])
        let found = try store.predictions(ofUser: "u'1", limit: 10)
        #expect(found.map(\.time) == [9, 5] && found[0].probability.isNaN && found[1] == first)
        #expect(try store.predictions(ofUser: "u'1", limit: 1).map(\.time) == [9])
        _ = try store.erase(users: [Array("u'1".utf8)])
        #expect(try store.predictions(ofUser: "u'1", limit: 10).isEmpty)
        #expect(try store.predictions(ofUser: "other", limit: 10).count == 1)
    }

    @Test("Every column comes back as it went in", arguments: DatabaseKind.available)
    func roundTrip(_ kind: DatabaseKind) throws {
        var generator = SeededGenerator.announced()
        let database = try TestDatabase(kind)
        let store = try database.open()
        let sent = (0..<500).map { TestScore.random(partition: 2, offset: $0, using: &generator) }
        let batch = try ScoreBatch(sent, partition: 2, from: nil, next: 700)
        #expect(try store.append(batch) == .stored(inserted: 500, duplicates: 0, erased: 0))
        #expect(try database.scores() == sent)
        #expect(try store.positions(of: output) == [2: 700])
        #expect(try store.sources() == [output])
    }

    @Test("Extreme numbers and NULLs", arguments: DatabaseKind.available)
    func extremes(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        var sent: [TestScore] = []
        let numbers = [0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -.pi, 0.1, .leastNormalMagnitude / 8]
        for (i, number) in numbers.enumerated() {
            sent.append(
                TestScore(partition: .max, offset: .max - 10 + Int64(i), time: i % 2 == 0 ? .min : .max, uplift: number)
            )
        }
        sent.append(
            TestScore(
                partition: .max, offset: .max, treatment: nil, outcome: nil, standardError: nil, lower: nil, upper: nil,
                level: nil))
        _ = try store.append(ScoreBatch(sent, partition: .max, from: nil, next: .max))
        #expect(try database.scores() == sent)
        #expect(try store.positions(of: output) == [.max: .max])
    }

    @Test("Unicode, quotes and empty texts", arguments: DatabaseKind.available)
    func unicode(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        let users = [
            "żółw", "用户-17", "🧑🏽‍🚀", "e\u{301}", "\u{e9}", "a'b\"c\\d{},", "\u{1}\t\n", " ", "NULL", "\u{10FFFF}",
            String(repeating: "ü", count: ScoreRows.maxKeyBytes / 2),
        ]
        let sent = users.enumerated().map { TestScore(offset: Int64($0), user: $1, treatment: "", effects: "[]") }
        _ = try store.append(ScoreBatch(sent, from: nil, next: Int64(sent.count)))
        // By bytes: Swift's == would not tell e + accent from é.
        #expect(try database.scores().map { Array($0.user.utf8) } == users.map { Array($0.utf8) })
        #expect(try database.scores().allSatisfy { $0.treatment == "" && $0.effects == "[]" })
        for user in users { #expect(try store.rowCount(user: user) == 1, "\(user)") }
        #expect(try store.erase(users: [Array("e\u{301}".utf8), Array("a'b\"c\\d{},".utf8)]) == 2)
        #expect(try store.rowCount(user: "\u{e9}") == 1)
        #expect(try store.rowCount(user: nil) == users.count - 2)
    }

    @Test("The same batch again changes nothing", arguments: DatabaseKind.available)
    func repeated(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        let batch = try ScoreBatch(scores(0..<100), from: nil, next: 100)
        #expect(try store.append(batch) == .stored(inserted: 100, duplicates: 0, erased: 0))
        for _ in 0..<3 { #expect(try store.append(batch) == .storedBefore) }
        #expect(try database.scores() == scores(0..<100))
        #expect(try store.positions(of: output) == [0: 100])
    }

    @Test("A score published twice is stored once, the first", arguments: DatabaseKind.available)
    func duplicates(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        let first = scores(0..<50)
        _ = try store.append(ScoreBatch(first, from: nil, next: 50))
        // The producer of an at-least-once run published 20..<50 again, with other values, and 60 twice in one batch.
        let again = scores(20..<50, seed: 9)
        let new = scores(50..<80)
        let batch = try ScoreBatch(again + new + [new[10]], from: 50, next: 111)
        #expect(try store.append(batch) == .stored(inserted: 30, duplicates: 31, erased: 0))
        #expect(try database.scores() == first + new)
        // The following batches work as before.
        for start in stride(from: Int64(80), to: 280, by: 20) {
            let next = 111 + (start - 60)
            let outcome = try store.append(ScoreBatch(scores(start..<start + 20), from: next - 20, next: next))
            #expect(outcome == .stored(inserted: 20, duplicates: 0, erased: 0))
        }
        #expect(try store.rowCount(user: nil) == 280)
    }

    @Test("Partitions in any order, each with its own position", arguments: DatabaseKind.available)
    func partitions(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        let batch = ScoreBatch(source: output, capacity: 100)
        for partition: Int32 in [7, 0, 3] {
            for score in scores(0..<10, partition: partition) { try batch.rows.append(score) }
            batch.advances.append(.init(partition: partition, expected: nil, next: 10 + Int64(partition)))
        }
        _ = try store.append(batch)
        #expect(try store.positions(of: output) == [0: 10, 3: 13, 7: 17])
        _ = try store.append(ScoreBatch(scores(10..<12, partition: 3), partition: 3, from: 13, next: 20))
        #expect(try store.positions(of: output) == [0: 10, 3: 20, 7: 17])
        #expect(try store.rowCount(user: nil) == 32)
    }

    @Test("Topics and clusters keep their own positions", arguments: DatabaseKind.available)
    func sources(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        let other = FollowedTopic(cluster: "cluster-2", topic: output.topic)
        let third = FollowedTopic(cluster: output.cluster, topic: "o'ther \"topic\"")
        _ = try store.append(ScoreBatch(scores(0..<1), from: nil, next: 1))
        _ = try store.append(ScoreBatch(scores(1..<2), from: nil, next: 22, source: other))
        _ = try store.append(ScoreBatch(scores(2..<3), from: nil, next: 333, source: third))
        #expect(try store.positions(of: output) == [0: 1])
        #expect(try store.positions(of: other) == [0: 22])
        #expect(try store.positions(of: third) == [0: 333])
        #expect(Set(try store.sources()) == [output, other, third])
    }

    @Test("A batch read from elsewhere than the stored position changes nothing", arguments: DatabaseKind.available)
    func moved(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        _ = try store.append(ScoreBatch(scores(0..<100), from: nil, next: 100))
        // Behind, ahead, over the edge, and as if the database were new.
        for (from, next) in [(50, 150), (200, 300), (nil, 101)] as [(Int64?, Int64)] {
            let batch = try ScoreBatch(scores(100..<110), from: from, next: next)
            #expect(try store.append(batch) == .moved)
        }
        // One partition as expected, the other not: the whole batch is refused.
        let batch = try ScoreBatch(scores(100..<110), from: 100, next: 110)
        batch.advances.append(.init(partition: 1, expected: 5, next: 6))
        #expect(try store.append(batch) == .moved)
        #expect(try store.positions(of: output) == [0: 100])
        #expect(try database.scores() == scores(0..<100))
    }

    @Test("Two writers on one partition double nothing and lose nothing", arguments: DatabaseKind.available)
    func twoWriters(_ kind: DatabaseKind) async throws {
        let database = try TestDatabase(kind)
        let all = scores(0..<2_000)
        _ = try database.open()
        nonisolated(unsafe) let shared = database  // Each task opens a store of its own; `make` changes nothing.
        let output = self.output
        let applied = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    let store = try shared.make()
                    try store.open(stop: LogStoreStop())
                    var applied = 0
                    var last: Int64 = 0
                    while true {
                        let stored = try store.positions(of: output)[0]
                        let from = stored ?? 0
                        #expect(from >= last, "a position went backwards")
                        last = from
                        if from == 2_000 { return applied }
                        let next = min(from + 50, 2_000)
                        let batch = try ScoreBatch(Array(all[Int(from)..<Int(next)]), from: stored, next: next)
                        if case .stored(let inserted, let duplicates, _) = try store.append(batch) {
                            #expect(duplicates == 0)
                            applied += inserted
                        }
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(applied == 2_000)
        #expect(try database.scores() == all)
    }

    @Test("A crash between two batches keeps the first and nothing else", arguments: DatabaseKind.available)
    func crash(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        _ = try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10))
        try database.dropConnections()
        let second = try ScoreBatch(scores(10..<20), from: 10, next: 20)
        if kind == .postgresql {
            let error = #expect(throws: LogStoreError.self) { try store.append(second) }
            #expect(error?.isRetriable == true)
        }
        // The process is gone; the next one finds the first batch and goes on.
        let next = try database.open()
        #expect(try next.positions(of: output) == [0: 10])
        #expect(try next.append(second) == .stored(inserted: 10, duplicates: 0, erased: 0))
        // The first one comes back to life, opens again and tries what it held: it is stored already.
        store.close()
        try store.open(stop: database.stop)
        #expect(try store.append(second) == .storedBefore)
        #expect(try database.scores() == scores(0..<20))
    }

    @Test("A failed transaction leaves rows and position as they were", arguments: DatabaseKind.available)
    func failure(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        _ = try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10))
        // A table goes away: rows are inserted, then the transaction fails.
        try database.execute("ALTER TABLE impactiq_rejected RENAME TO elsewhere")
        let batch = try ScoreBatch(scores(10..<20), from: 10, next: 20)
        batch.rejections = [.init(partition: 0, offset: 15, code: "c", message: "m")]
        #expect(throws: LogStoreError.self) { try store.append(batch) }
        #expect(try database.scores() == scores(0..<10))
        #expect(try database.query("SELECT next_offset FROM impactiq_positions") == [["10"]])
        try database.execute("ALTER TABLE elsewhere RENAME TO impactiq_rejected")
        #expect(try store.append(batch) == .stored(inserted: 10, duplicates: 0, erased: 0))
        #expect(try database.scores() == scores(0..<20))
    }

    @Test("Messages that are not scores are recorded with their place", arguments: DatabaseKind.available)
    func rejections(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        let batch = ScoreBatch(source: output, capacity: 1)
        batch.rejections = [
            .init(partition: 1, offset: 5, code: "invalid_json", message: #"a "quoted" {message}, with \ and ü"#),
            .init(partition: 1, offset: 6, code: "empty", message: ""),
        ]
        batch.advances = [.init(partition: 1, expected: nil, next: 7)]
        _ = try store.append(batch)
        let found = try database.query(
            "SELECT cluster, topic, kafka_partition, kafka_offset, code, message FROM impactiq_rejected ORDER BY kafka_offset"
        )
        #expect(
            found == [
                ["cluster-1", "uplift-scores", "1", "5", "invalid_json", #"a "quoted" {message}, with \ and ü"#],
                ["cluster-1", "uplift-scores", "1", "6", "empty", ""],
            ])
        #expect(try store.positions(of: output) == [1: 7])
    }

    @Test("Erasure removes a user's rows and only those", arguments: DatabaseKind.available, [false, true])
    func erasure(_ kind: DatabaseKind, _ userIndex: Bool) throws {
        let database = try TestDatabase(kind)
        let store = try database.open(userIndex: userIndex)
        let all = scores(0..<1_000)
        _ = try store.append(ScoreBatch(all, from: nil, next: 1_000))
        let left = all.filter { $0.user != "user-7" }
        #expect(left.count < all.count)
        #expect(try store.erase(users: [Array("user-7".utf8)]) == all.count - left.count)
        #expect(try database.scores() == left)
        #expect(try store.erase(users: [Array("user-7".utf8), Array("nobody".utf8), [0, 1], [0xFF]]) == 0)
        #expect(try store.rowCount(user: "user-7") == 0)
        // In a batch: the rows of the batch go too, and those of the others stay.
        let more = scores(1_000..<1_100)
        let batch = try ScoreBatch(more, from: 1_000, next: 1_101)
        batch.erasures = [Array("user-8".utf8)]
        let gone = (left + more).filter { $0.user == "user-8" }.count
        #expect(try store.append(batch) == .stored(inserted: 100, duplicates: 0, erased: gone))
        #expect(try database.scores() == (left + more).filter { $0.user != "user-8" })
        // What was erased does not come back with a batch that was tried before.
        #expect(try store.append(batch) == .storedBefore)
        #expect(try store.rowCount(user: "user-8") == 0)
    }

    @Test("A user's last scores, the latest first", arguments: DatabaseKind.available, [false, true])
    func history(_ kind: DatabaseKind, _ userIndex: Bool) throws {
        var generator = SeededGenerator.announced()
        let database = try TestDatabase(kind)
        let store = try database.open(userIndex: userIndex)
        #expect(try store.scores(ofUser: "user-3", limit: 5).isEmpty)
        var sent = (0..<2_000).map { TestScore.random(partition: 1, offset: $0, using: &generator) }
        // Two at one moment, and a name that SQL would trip over.
        for (index, place) in [17, 903].enumerated() {
            sent[place].user = "o'hara \"%_\\ ü"
            sent[place].time = 1_795_255_200_123
            sent[place].uplift = Double(index)
        }
        _ = try store.append(ScoreBatch(sent, partition: 1, from: nil, next: 2_000))
        for user in Set(sent.map(\.user)) {
            let own = sent.filter { $0.user == user }.sorted { ($0.time, $0.offset) > ($1.time, $1.offset) }
            for limit in [1, own.count, own.count + 5] {
                let found = try store.scores(ofUser: user, limit: limit)
                #expect(found.map(TestScore.init) == own.prefix(limit).map { $0.withoutEffects }, "\(user), \(limit)")
            }
        }
        #expect(try store.scores(ofUser: "user-", limit: 5).isEmpty)
    }

    @Test("A huge batch", arguments: DatabaseKind.available)
    func huge(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        let batch = ScoreBatch(source: output, capacity: 100_000, byteLimit: 1 << 28)
        let effects = "[" + String(repeating: #"{"uplift":0.001},"#, count: 20_000) + "]"
        for i in 0..<100_000 as Range<Int64> {
            // Now and then a row larger than every buffer.
            try batch.rows.append(TestScore(offset: i, user: "user-\(i)", effects: i % 25_000 == 3 ? effects : nil))
        }
        batch.advances = [.init(partition: 0, expected: nil, next: 100_000)]
        #expect(try store.append(batch) == .stored(inserted: 100_000, duplicates: 0, erased: 0))
        let found = try database.query("SELECT count(*), count(DISTINCT user_id), max(length(effects)) FROM scores")
        #expect(found == [["100000", "100000", "\(effects.count)"]])
    }

    @Test("An older schema is migrated with its rows, a newer one refused", arguments: DatabaseKind.available)
    func migration(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let current = kind == .sqlite ? SQLiteLogStore.migrations : PostgreSQLLogStore.migrations
        let newer = current + [["ALTER TABLE scores ADD COLUMN note TEXT", "CREATE TABLE extra (x INTEGER)"]]
        let store = try database.open()
        _ = try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10))
        store.close()
        // A migration that fails half-way leaves the old version.
        let broken = current + [["CREATE TABLE extra (x INTEGER)", "CREATE TABLE scores (x INTEGER)"]]
        #expect(throws: LogStoreError.self) { try database.open(migrations: broken) }
        let migrated = try database.open(migrations: newer)
        #expect(try migrated.positions(of: output) == [0: 10])
        #expect(
            try migrated.append(ScoreBatch(scores(10..<20), from: 10, next: 20))
                == .stored(inserted: 10, duplicates: 0, erased: 0))
        #expect(try database.scores() == scores(0..<20))
        #expect(try database.query("SELECT count(*) FROM extra") == [["0"]])
        let error = #expect(throws: LogStoreError.self) { try database.open() }
        #expect(error?.code == "log_store_newer")
        #expect(error?.isRetriable == false)
        #expect(error?.message.contains("version \(newer.count)") == true)
    }

    @Test("Another program's tables are left alone", arguments: DatabaseKind.available)
    func foreign(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        try database.execute("CREATE TABLE scores (player TEXT, points INTEGER)")
        let error = #expect(throws: LogStoreError.self) { try database.open() }
        #expect(error?.code == "log_store_foreign")
        #expect(error?.isRetriable == false)
        #expect(try database.query("SELECT count(*) FROM scores") == [["0"]])
    }

    @Test("A store that is not open says so", arguments: DatabaseKind.available)
    func closed(_ kind: DatabaseKind) throws {
        let database = try TestDatabase(kind)
        let store = try database.open()
        store.close()
        store.close()
        #expect(throws: LogStoreError.self) { try store.positions(of: output) }
        try store.open(stop: database.stop)
        try store.open(stop: database.stop)
        #expect(try store.positions(of: output).isEmpty)
    }
}
