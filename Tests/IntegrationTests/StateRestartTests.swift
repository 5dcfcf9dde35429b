import Base
import Foundation
import Pipeline
import StateStore
import Synchronization
import TestSupport
import Testing

/// Restarts with and without the local copy, on a real broker: what is published is what an uninterrupted run publishes.
@Suite("State across restarts", .serialized)
struct StateRestartTests {
    private static let users = 120
    private static let pieces = 3
    private static let each = 1_500

    /// Runs the trial in pieces, with `between` after each but the last, and in one go; both must publish the same.
    private func compare(
        _ seed: UInt64, between: (StateRun, Int) throws -> Void,
        check: (Int, PipelineMetrics) throws -> Void
    ) throws {
        guard let broker = TestBroker.start() else { return }
        let messages = try StateRun.trial(Self.pieces * Self.each, users: Self.users, seed: seed)
        let whole = try StateRun(broker, settings: ["state.store=none"])
        try whole.harness.produce(messages)
        try whole.harness.run(until: messages.count)
        let run = try StateRun(broker)
        for piece in 0..<Self.pieces {
            try run.harness.produce(Array(messages[piece * Self.each..<(piece + 1) * Self.each]))
            let metrics = try run.harness.run(until: Self.each)
            if piece > 0 { try check(piece, metrics) }
            if piece < Self.pieces - 1 { try between(run, piece) }
        }
        #expect(try run.scores() == whole.scores())
        let state = try whole.changelog()
        #expect(try run.changelog() == state)
        // A last transaction may be behind the end that was asked for; what the copy has is verified in any case.
        let verified = try run.verify()
        #expect(verified.reduce(0) { $0 + $1.differing } == 0)
        #expect(verified.reduce(0) { $0 + $1.equal + $1.inTail } == state.count)
    }

    @Test("A restart loads the local copy and replays only the changelog's tail")
    func localCopy() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        try compare(seed, between: { _, _ in }) { _, metrics in
            let loaded = metrics.restoredUsers.value
            let replayed = metrics.replayedRecords.value
            print("loaded \(loaded), replayed \(replayed)")
            #expect(loaded > 0)
            #expect(loaded <= Self.users)
            // The tail is at most the last transaction of each partition.
            #expect(replayed <= Self.users)
        }
    }

    @Test("A deleted local copy is rebuilt from the changelog")
    func deletedCopy() throws {
        try compare(7) { run, _ in
            try FileManager.default.removeItem(atPath: run.storePath)
        } check: { _, metrics in
            #expect(metrics.restoredUsers.value == 0)
            #expect(metrics.replayedRecords.value > 0)
        }
    }

    @Test("A damaged local copy is moved aside and rebuilt from the changelog")
    func damagedCopy() throws {
        try compare(8) { run, _ in
            let names = try FileManager.default.contentsOfDirectory(atPath: run.storePath)
            let manifest = try #require(names.first { $0.hasPrefix("MANIFEST") })
            let path = "\(run.storePath)/\(manifest)"
            var bytes = try Data(contentsOf: URL(filePath: path))
            for i in bytes.indices { bytes[i] ^= 0x55 }
            try bytes.write(to: URL(filePath: path))
        } check: { piece, metrics in
            #expect(metrics.restoredUsers.value == 0, "piece \(piece)")
        }
    }

    @Test("A local copy that others' work has outdated comes right by the tail")
    func outdatedCopy() throws {
        // The second piece is another machine's: this one's copy is kept from before it.
        var kept: URL?
        try compare(9) { run, piece in
            let folder = URL(filePath: run.storePath)
            let aside = run.harness.folder.appending(path: "kept")
            if piece == 0 {
                try FileManager.default.copyItem(at: folder, to: aside)
                kept = aside
            } else {
                try FileManager.default.removeItem(at: folder)
                try FileManager.default.moveItem(at: #require(kept), to: folder)
            }
        } check: { piece, metrics in
            guard piece == 2 else { return }
            #expect(metrics.restoredUsers.value > 0)
            #expect(metrics.replayedRecords.value > 0)
        }
    }

    @Test("verify names what differs")
    func verification() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1)
        try run.harness.produce(try StateRun.trial(800, users: 50, seed: 3))
        try run.harness.run(until: 800)
        let before = try #require(try run.verify().first)
        #expect(before.differing == 0)
        #expect(before.stored == before.logged)
        let store = try StateStore(path: run.storePath)
        var checkpoint = try #require(try store.checkpoint(of: 0))
        // All of the changelog is claimed, so that nothing is excused.
        checkpoint.offset = .max / 2
        let users = try run.changelog().keys.sorted { $0.lexicographicallyPrecedes($1) }
        let batch = StoreBatch()
        users[0].withUnsafeBytes { batch.put(0, user: $0, record: nil) }
        users[1].withUnsafeBytes { user in
            [UInt8](repeating: 7, count: 40).withUnsafeBytes { batch.put(0, user: user, record: $0) }
        }
        Array("nobody".utf8).withUnsafeBytes { batch.put(0, user: $0, record: $0) }
        batch.put(0, checkpoint)
        try store.write(batch)
        store.close()
        let after = try #require(try run.verify().first)
        #expect(after.differing == 3)
        #expect(after.equal == users.count - 2)
        #expect(
            Set(after.differences.map(\.kind.rawValue)) == ["missing", "differs", "surplus"])
        #expect(after.differences.contains { $0.user == "nobody" && $0.kind == .surplus })
    }
}
