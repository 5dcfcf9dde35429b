import Base
import Foundation
import Pipeline
import Settings
import StateStore
import Testing

@Suite("One folder for each application")
struct StateFolderTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)").path

    private func configuration(_ application: String) throws -> Configuration {
        try Configuration(
            file: nil, environment: [:], overrides: ["application.id=\(application)", "state.dir=\(folder)"])
    }

    private func makeOld(topic: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in ["instance-0.id", "poison-x.notes"] {
            try Data("0123456789ab".utf8).write(to: URL(filePath: "\(folder)/\(name)"))
        }
        let store = try StateStore(path: "\(folder)/rocksdb-0")
        let batch = StoreBatch()
        batch.put(0, Checkpoint(topic: topic, offset: 5, start: 0, time: 1, fingerprint: 2))
        try store.write(batch, generation: store.generation)
        store.close()
    }

    @Test("What an earlier version left moves once, with the copy that is this application's")
    func moves() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeOld(topic: "one-state-changelog")
        let other = try StateFolder.prepare(configuration("two"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: other).isEmpty)
        let own = try StateFolder.prepare(configuration("one"))
        #expect(own == "\(folder)/one")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: own).sorted() == [
                "instance-0.id", "poison-x.notes", "rocksdb-0",
            ])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["one", "two"])
        let copies = try LocalCopies(stateDirectory: folder, topic: "one-state-changelog")
        defer { copies.close() }
        #expect(copies.copies.map(\.checkpoint.offset) == [5])
        #expect(try StateFolder.prepare(configuration("one")) == own)
    }

    @Test("A move that was interrupted goes on")
    func interrupted() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeOld(topic: "one-state-changelog")
        try FileManager.default.createDirectory(atPath: "\(folder)/one", withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: "\(folder)/rocksdb-0", toPath: "\(folder)/one/rocksdb-0")
        let own = try StateFolder.prepare(configuration("one"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: own).sorted() == [
                "instance-0.id", "poison-x.notes", "rocksdb-0",
            ])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["one"])
    }

    @Test("No application id leaves the folder")
    func names() {
        #expect(StateFolder.name("impactiq-1.a_B") == "impactiq-1.a_B")
        for hostile in ["..", ".", "a/b", "../x", "", "rocksdb-0/../../y"] {
            let name = StateFolder.name(hostile)
            #expect(!name.isEmpty && name != "." && name != ".." && !name.contains("/"), "\(hostile)")
        }
        #expect(Set(["..", "%2E.", "%2E"].map(StateFolder.name)).count == 3)
    }
}
