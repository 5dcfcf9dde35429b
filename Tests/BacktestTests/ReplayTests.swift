import Backtest
import Base
import Engine
import Events
import Foundation
import Pipeline
import Scoring
import Synchronization
import TestSupport
import Testing

/// What a replay writes depends on the events and the model alone.
@Suite("Replay of files")
struct ReplayTests {
    private let scratch: TemporaryFolder
    private let model: Model
    private let paths: [String]

    init() throws {
        scratch = try TemporaryFolder()
        model = try Model.open(path: Example.model)
        paths = try TrialFiles.write(6_000, files: 3, seed: SeededGenerator.announced("replay").seed, in: scratch)
    }

    /// Replays into a file; `stopAfter` batches it is stopped once.
    private func replay(
        _ name: String, capacity: Int = 1_024, threads: Int = 2, from: ReplayPoint = .beginning,
        to: ReplayPoint = .end, warmUp: WarmUp = .none, stopAfter: Int? = nil
    ) throws -> (bytes: Data, result: ReplayResult)? {
        let sources = try FileSourceFactory(paths: paths, topic: "events")
        let folder = ReplayFolder(scratch.file(name + ".replay"))
        var settings = Processor.Settings()
        settings.limits.requiresKey = false
        settings.capacity = capacity
        var options = Replay.Options(settings: settings)
        options.threads = threads
        options.checkpointInterval = .milliseconds(1)
        let isResumed = try folder.plan() != nil
        let spans = try sources.spans(from: from, to: to, warmUp: warmUp)
        if !isResumed { try folder.begin(ReplayPlan(request: [:], spans: spans)) }
        let replay = Replay(
            model: model, options: options, spans: spans, sources: sources,
            target: FileTarget(path: scratch.file(name), format: .jsonl, folder: folder.path), published: nil,
            folder: folder)
        let asked = CallCounter()
        do {
            let result = try replay.run(isResumed: isResumed, progress: { _ in }) {
                stopAfter.map { asked.next() >= $0 } ?? false
            }
            return (try Data(contentsOf: URL(filePath: scratch.file(name))), result)
        } catch let error as ImpactError {
            #expect(error.code == "stopped")
            return nil
        }
    }

    @Test("The same bytes for any batch size and any number of threads")
    func batchesAndThreads() throws {
        let expected = try #require(try replay("one", threads: 1))
        #expect(expected.result.counters.scores > 300)
        #expect(expected.result.counters.stream.duplicates > 0)
        #expect(expected.result.counters.stream.rejectedCount > 0)
        #expect(expected.result.counters.stream.eventTimeBackwards > 0)
        #expect(expected.result.unseenFields.isEmpty)
        for (capacity, threads) in [(1, 3), (7, 2), (100, 1), (4_096, 3)] {
            let other = try #require(try replay("c\(capacity)", capacity: capacity, threads: threads))
            #expect(other.bytes == expected.bytes, "batches of \(capacity), \(threads) threads")
            #expect(other.result.counters == expected.result.counters)
        }
    }

    @Test("Stopped anywhere and run again, it ends with the same bytes and the same counts")
    func resumes() throws {
        let expected = try #require(try replay("whole", threads: 1))
        var generator = SeededGenerator.announced("resumes")
        for round in 0..<6 {
            var tries = 0
            var outcome: (bytes: Data, result: ReplayResult)?
            while outcome == nil, tries < 100 {
                tries += 1
                // The folder of a stopped replay may hold the rest of a write that was cut off.
                let part = scratch.file("r\(round).replay/scores-0")
                let isDone = FileManager.default.fileExists(atPath: scratch.file("r\(round).replay/done-0"))
                if !isDone, let file = FileHandle(forWritingAtPath: part) {
                    try file.seekToEnd()
                    try file.write(contentsOf: Data("{\"torn".utf8))
                    try file.close()
                }
                let batches = Int.random(in: 1...12, using: &generator)
                outcome = try replay(
                    "r\(round)", capacity: 64, threads: 1 + round % 3, stopAfter: tries < 90 ? batches : nil)
            }
            let end = try #require(outcome)
            #expect(end.bytes == expected.bytes, "round \(round), \(tries) tries")
            #expect(end.result.counters == expected.result.counters)
            #expect(!FileManager.default.fileExists(atPath: scratch.file("r\(round).replay")))
        }
    }

    @Test("A damaged checkpoint begins its partition anew, with the same bytes")
    func damagedCheckpoint() throws {
        let expected = try #require(try replay("sound", threads: 1))
        #expect(try replay("hurt", capacity: 64, threads: 1, stopAfter: 9) == nil)
        let states = try FileManager.default.contentsOfDirectory(atPath: scratch.file("hurt.replay"))
            .filter { $0.hasPrefix("state-") }
        #expect(!states.isEmpty)
        for name in states {
            let path = scratch.file("hurt.replay/\(name)")
            var bytes = try Data(contentsOf: URL(filePath: path))
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: URL(filePath: path))
        }
        #expect(try #require(try replay("hurt", capacity: 64)).bytes == expected.bytes)
    }

    @Test("A range behind a warm-up gives the tail of the whole, for any cut")
    func warmUp() throws {
        let whole = try #require(try replay("all", threads: 1)).bytes.split(separator: 0x0A)
        for cut: Int64 in [0, 1, 63, 64, 65, 700, 1_999] {
            let from = ReplayPoint.offsets([0: cut, 1: cut, 2: cut])
            let tail = try #require(try replay("tail\(cut)", capacity: 64, from: from, warmUp: .all))
            let kept = whole.filter { line in
                let text = String(decoding: line, as: UTF8.self)
                let offset = text.split(separator: "\"offset\":").last?.prefix { $0.isNumber }
                return Int64(offset ?? "") ?? -1 >= cut
            }
            #expect(tail.bytes.split(separator: 0x0A) == kept, "cut at \(cut)")
        }
        // Without its past a user scores otherwise: the test above can fail.
        let cold = try #require(try replay("cold", from: .offsets([0: 700, 1: 700, 2: 700])))
        let warm = try #require(try replay("warm", from: .offsets([0: 700, 1: 700, 2: 700]), warmUp: .all))
        #expect(cold.bytes != warm.bytes)
    }

    @Test("Fields and types that no event has are named")
    func unseen() throws {
        let path = try scratch.write(
            #"{"user_id":"u","type":"ad_view","time":1767225600000,"properties":{"recency":3}}"# + "\n", "bare.jsonl")
        let sources = try FileSourceFactory(paths: [path], topic: "events")
        let folder = ReplayFolder(scratch.file("bare.replay"))
        let spans = try sources.spans(from: .beginning, to: .end, warmUp: .none)
        try folder.begin(ReplayPlan(request: [:], spans: spans))
        var settings = Processor.Settings()
        settings.limits.requiresKey = false
        let replay = Replay(
            model: model, options: Replay.Options(settings: settings), spans: spans, sources: sources,
            target: NoTarget(), published: nil, folder: folder)
        let result = try replay.run(isResumed: false, progress: { _ in }, isStopped: { false })
        #expect(result.unseenFields.contains("properties.history"))
        #expect(!result.unseenFields.contains("properties.recency"))
        #expect(result.unseenTypes.contains("purchase"))
    }
}

/// Counts calls from several threads.
final class CallCounter: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}
