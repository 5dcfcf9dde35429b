import Base
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

/// What only the PostgreSQL store can meet: servers that go away, log-ins, secrets.
@Suite("PostgreSQL log store", .enabled(if: TestPostgres.shared != nil)) struct LogStorePostgreSQLTests {
    func scores(_ offsets: Range<Int64>) -> [TestScore] { offsets.map { TestScore(offset: $0, user: "user-\($0)") } }

    @Test(
        "No part of a password reaches a message",
        arguments: [
            "postgresql://user:hunter2@127.0.0.1:1/db",
            "postgresql://user:hunter2@nowhere.invalid:1/db?connect_timeout=2",
            "postgresql://user:hunter2@127.0.0.1:1:2/db",
            "postgresql://user:pa@hunter2@127.0.0.1:1/db",
            "postgresql://user:pa/hunter2@host/db",
            "postgresql://user:hunter2%zz@host/db",
            "postgresql://user:pa:hunter2@127.0.0.1:1/db",
            "postgresql://user:x@127.0.0.1:1/db?password=hunter2",
            "postgresql://user:x@127.0.0.1:1/db?sslmode=hunter2",
        ])
    func secrets(_ url: String) {
        do throws(LogStoreError) {
            let store = try PostgreSQLLogStore(url: url)
            #expect(!store.place.contains("hunter2"))
            let stop = LogStoreStop()
            stop.stop(within: 5)
            try store.open(stop: stop)
            Issue.record("connected to \(url)")
        } catch {
            // A wrong sslmode is shown: it is no secret's place.
            if !url.contains("sslmode") { #expect(!error.message.contains("hunter2"), "\(error.message)") }
        }
    }

    @Test("A refused log-in is told with the user's next step, not tried again")
    func login() throws {
        let server = try #require(TestPostgres.shared)
        let database = try TestDatabase(.postgresql)
        let store = try PostgreSQLLogStore(url: server.url(schema: database.name, password: "hunter2"))
        let error = #expect(throws: LogStoreError.self) { try store.open(stop: LogStoreStop()) }
        #expect(error?.code == "log_store_login")
        #expect(error?.isRetriable == false)
        #expect(error?.kind == .badConfiguration)
        #expect(error?.message.contains("28P01") == true)
        #expect(error?.message.contains("hunter2") == false)
        let missing = server.url(schema: "x").replacing("/postgres?", with: "/nosuchdatabase?")
        let second = #expect(throws: LogStoreError.self) {
            try PostgreSQLLogStore(url: missing).open(stop: LogStoreStop())
        }
        #expect(second?.code == "log_store_open")
        #expect(second?.isRetriable == false)
    }

    @Test("A server that is away can be tried again")
    func away() throws {
        let store = try PostgreSQLLogStore(url: "postgresql://nobody@127.0.0.1:1/none")
        let error = #expect(throws: LogStoreError.self) { try store.open(stop: LogStoreStop()) }
        #expect(error?.code == "log_store_unavailable")
        #expect(error?.isRetriable == true)
        #expect(error?.message.contains("127.0.0.1:1/none") == true)
    }

    @Test("Locks, read-only servers and cancelled statements can be tried again")
    func passing() throws {
        let database = try TestDatabase(.postgresql)
        _ = try database.open()
        for setting in ["lock_timeout%3D100", "statement_timeout%3D100"] {
            let url = database.url.replacing("options=", with: "options=-c\(setting)%20")
            let store = try PostgreSQLLogStore(url: url)
            try store.open(stop: database.stop)
            try database.withTableLocked("scores") {
                let error = #expect(throws: LogStoreError.self) {
                    try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10))
                }
                #expect(error?.isRetriable == true, "\(setting): \(String(describing: error))")
            }
        }
        let url = database.url.replacing("options=", with: "options=-cdefault_transaction_read_only%3Don%20")
        let store = try PostgreSQLLogStore(url: url)
        let error = #expect(throws: LogStoreError.self) {
            try store.open(stop: database.stop)
            _ = try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10))
        }
        #expect(error?.code == "log_store_read_only")
        #expect(error?.isRetriable == true)
        #expect(try database.scores().isEmpty)
    }

    @Test("A wait for the server ends when the time to stop is over")
    func stops() throws {
        let database = try TestDatabase(.postgresql)
        let stop = LogStoreStop()
        let store = try database.make()
        try store.open(stop: stop)
        try database.withTableLocked("scores") {
            stop.stop(within: 0.3)
            let error = #expect(throws: LogStoreError.self) {
                try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10))
            }
            #expect(error?.isRetriable == true)
        }
        #expect(try database.scores().isEmpty)
    }

    @Test("A database that cannot hold every text is refused")
    func encoding() throws {
        let server = try #require(TestPostgres.shared)
        let database = try TestDatabase(.postgresql)
        let name = "latin\(UInt32.random(in: 0 ... .max))"
        try database.execute("CREATE DATABASE \(name) ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        let url = server.url(schema: "public").replacing("/postgres?", with: "/\(name)?")
        let error = #expect(throws: LogStoreError.self) { try PostgreSQLLogStore(url: url).open(stop: LogStoreStop()) }
        #expect(error?.code == "log_store_encoding")
        try database.execute("DROP DATABASE \(name) WITH (FORCE)")
    }

    @Test("Killed and restarted under load: every score once")
    func crashes() throws {
        let server = try #require(TestPostgres())
        defer { server.crash() }
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock)
        let url = server.url(schema: "public")
        let reader = try fixture.reader {
            $0.batchRows = 200
        } make: { () throws(LogStoreError) in
            try PostgreSQLLogStore(url: url)
        }
        var all: [TestScore] = []
        let producer = try fixture.producer()
        for round in 0..<4 {
            for offset in Int64(round) * 5_000..<Int64(round + 1) * 5_000 {
                var score = TestScore(partition: Int32(offset % 3), offset: offset, user: "user-\(offset % 100)")
                score.uplift = Double(offset) / 1_000
                all.append(score)
                try fixture.send([score], with: producer)
            }
            // In the middle of what it is doing, whatever that is.
            Thread.sleep(forTimeInterval: Double.random(in: 0...0.1))
            let crashed = server.crash()
            #expect(crashed)
            let retries = reader.counters.retries
            // Something to store, in case the reader had stored everything.
            let last = TestScore(partition: 0, offset: 1_000_000 + Int64(round))
            all.append(last)
            try fixture.send([last], with: producer)
            try producer.flush()
            #expect(LogStoreReaderFixture.eventually { reader.counters.retries > retries })
            #expect(server.start())
        }
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows >= 20_004 })
        reader.stop(within: 20)
        try reader.wait()
        #expect(try TestDatabase.scores(of: url) == all.sorted())
    }
}
