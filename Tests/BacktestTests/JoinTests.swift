import Backtest
import Base
import Engine
import Events
import Features
import Foundation
import Scoring
import Simulation
import Synchronization
import TestSupport
import Testing

/// Several partitions read as one: users whose events lie in several have one history.
@Suite("Joined partitions")
struct JoinTests {
    /// Partitions of records with random times, lent in pieces of random size, empty ones among them.
    private struct Partitions: RecordSourceFactory {
        let topic = "events"
        let hasKeys = true
        let times: [[Int64]]
        let seed: UInt64

        func make(component: String) throws -> any RecordSource { Source(times, seed) }

        final class Source: RecordSource {
            private let times: [[Int64]]
            private var generator: SeededGenerator
            private var span = PartitionSpan(partition: 0, first: 0, from: 0, end: 0)
            private(set) var position: Int64 = 0

            init(_ times: [[Int64]], _ seed: UInt64) {
                self.times = times
                generator = SeededGenerator(seed: seed)
            }

            func begin(_ span: PartitionSpan) {
                self.span = span
                position = span.first
            }

            func read(max: Int, _ body: (SourceRecord) throws -> Void) throws -> Bool {
                for _ in 0..<Int.random(in: 0...min(max, 5), using: &generator) where position < span.end {
                    let text = Array("\(span.partition)/\(position)".utf8)
                    try text.withUnsafeBytes {
                        try body(
                            SourceRecord(
                                key: position % 3 == 0 ? nil : $0, value: position % 5 == 0 ? nil : $0,
                                partition: span.partition, offset: position,
                                timestamp: times[Int(span.partition)][Int(position)], isWarmUp: position < span.from))
                    }
                    position += 1
                }
                return position < span.end
            }

            func close() {}
        }
    }

    @Test(
        "Each partition keeps its order; of all heads the earliest comes first, then the lowest partition's; bytes stay"
    )
    func merge() throws {
        var generator = SeededGenerator.announced("merge")
        for _ in 0..<50 {
            let times = (0..<Int.random(in: 1...5, using: &generator)).map { _ in
                (0..<Int.random(in: 0...60, using: &generator)).map { _ in Int64.random(in: -1...20, using: &generator)
                }
            }
            let spans = times.enumerated().map { partition, times in
                let first = Int64.random(in: 0...Int64(times.count / 2), using: &generator)
                let from = Int64.random(in: first...Int64(times.count), using: &generator)
                return PartitionSpan(partition: Int32(partition), first: first, from: from, end: Int64(times.count))
            }
            var expected: [String] = []
            var heads = spans.map(\.first)
            while let next = heads.indices.filter({ heads[$0] < spans[$0].end }).min(by: {
                (times[$0][Int(heads[$0])], $0) < (times[$1][Int(heads[$1])], $1)
            }) {
                let (offset, text) = (heads[next], "\(next)/\(heads[next])")
                expected.append(
                    "\(next) \(offset) \(times[next][Int(offset)]) \(offset < spans[next].from) "
                        + "\(offset % 3 == 0 ? "nil" : text) \(offset % 5 == 0 ? "nil" : text)")
                heads[next] += 1
            }
            let factory = JoinedSourceFactory(Partitions(times: times, seed: generator.next()), spans)
            let source = try factory.make(component: "test")
            try source.begin(JoinedSourceFactory.span)
            var found: [String] = []
            let most = Int.random(in: 1...20, using: &generator)
            var more = true
            while more {
                var count = 0
                more = try source.read(max: most) { record in
                    func text(_ bytes: UnsafeRawBufferPointer?) -> String {
                        bytes.map { String(decoding: $0, as: UTF8.self) } ?? "nil"
                    }
                    found.append(
                        "\(record.partition) \(record.offset) \(record.timestamp) \(record.isWarmUp) "
                            + "\(text(record.key)) \(text(record.value))")
                    count += 1
                }
                #expect(count <= most)
            }
            #expect(found == expected)
            #expect(source.position == spans.reduce(0) { $0 + $1.end - $1.first })
        }
    }

    /// A trial in one file; and in files as a topic holds it that grew from two partitions to three in the middle: the old
    /// ones, then the new events of each.
    private func trial(_ count: Int, in scratch: TemporaryFolder) throws -> (whole: String, grown: [String]) {
        var settings = TrialSettings()
        settings.seed = SeededGenerator.announced("joined").seed
        settings.users = 150
        settings.duplicates = 0.03
        // Lines of files are joined by event time: what came late in the stream, or bears a wrong time, would stand elsewhere.
        settings.outOfOrder = 0
        settings.invalid = 0
        var simulation = try TrialSimulation(settings)
        let buffer = ByteBuffer()
        var parts = [[UInt8]](repeating: [], count: 5)
        var whole: [UInt8] = []
        for i in 0..<count {
            buffer.removeAll()
            let event = simulation.next(into: buffer)
            let line = Array(buffer.bytes(event.value)) + [0x0A]
            whole += line
            let user = max(0, event.user)
            parts[i < count / 2 ? user % 2 : 2 + user % 3] += line
        }
        func write(_ bytes: [UInt8], _ name: String) throws -> String {
            try Data(bytes).write(to: URL(filePath: scratch.file(name)))
            return scratch.file(name)
        }
        return (
            try write(whole, "whole.jsonl"), try parts.enumerated().map { try write($1, "part-\($0).jsonl") }
        )
    }

    @Test("Scores of a grown topic, joined, are those of one that never grew; by themselves they are not")
    func scores() throws {
        let scratch = try TemporaryFolder()
        let (whole, grown) = try trial(4_000, in: scratch)
        let model = try Model.open(path: Example.model)
        func scores(_ paths: [String], joins: Bool, _ name: String) throws -> ([String: [String]], ReplayResult) {
            let sources = try FileSourceFactory(paths: paths, topic: "events")
            let folder = ReplayFolder(scratch.file(name + ".replay"))
            var settings = Processor.Settings()
            settings.limits.requiresKey = false
            settings.capacity = 100
            var options = Replay.Options(settings: settings)
            options.joins = joins
            let spans = try sources.spans(from: .beginning, to: .end, warmUp: .none)
            try folder.begin(ReplayPlan(request: [:], spans: spans))
            let result = try Replay(
                model: model, options: options, spans: spans, sources: sources,
                target: FileTarget(path: scratch.file(name), format: .jsonl, folder: folder.path), published: nil,
                folder: folder
            ).run(isResumed: false, progress: { _ in }, isStopped: { false })
            let lines = try String(contentsOfFile: scratch.file(name), encoding: .utf8).split(separator: "\n")
            let users = try lines.reduce(into: [String: [String]]()) { users, line in
                // Without the place of the event.
                let end = try #require(line.range(of: ",\"source\"")).lowerBound
                users[String(line.prefix(while: { $0 != "," })), default: []].append(String(line[..<end]))
            }
            return (users, result)
        }
        let (expected, plain) = try scores([whole], joins: false, "plain")
        let (joined, result) = try scores(grown, joins: true, "joined")
        #expect(expected.count > 50)
        #expect(joined == expected)
        #expect(result.counters.scores == plain.counters.scores)
        #expect(result.counters.stream.duplicates == plain.counters.stream.duplicates)
        #expect(result.counters.stream.users?.finding == nil)
        let (apart, split) = try scores(grown, joins: false, "apart")
        #expect(apart != expected)
        #expect(split.counters.stream.users?.finding != nil)
        // One file is nothing to join.
        #expect(try scores([whole], joins: true, "alone").0 == expected)
    }

    @Test("Rows of a grown topic, joined, are those of one that never grew: features, outcomes, censoring")
    func rows() throws {
        let scratch = try TemporaryFolder()
        let (whole, grown) = try trial(6_000, in: scratch)
        let features = SharedMaterial.repository.appending(path: "examples/demo/features.json").path
        func rows(_ paths: [String], joins: Bool, _ name: String) throws -> ([String], RowsCounters) {
            var options = RowsOptions(
                specification: try FeatureSpecification(json: Array(try Data(contentsOf: URL(filePath: features)))))
            options.limits.requiresKey = false
            options.joins = joins
            let sources = try FileSourceFactory(paths: paths, topic: "events")
            let job = try RowsJob(
                options: options, spans: try sources.spans(from: .beginning, to: .end, warmUp: .none), sources: sources)
            let counters = try job.run(to: scratch.file(name), progress: { _ in }, isStopped: { false })
            let text = try String(contentsOfFile: scratch.file(name), encoding: .utf8)
            return (
                text.split(separator: "\n").dropFirst().map { line in
                    // Without partition and offset.
                    String(line.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)[2])
                }, counters
            )
        }
        let (expected, plain) = try rows([whole], joins: false, "plain.csv")
        let (joined, counters) = try rows(grown, joins: true, "joined.csv")
        #expect(expected.count > 100)
        #expect(joined.sorted() == expected.sorted())
        // Sums of the same numbers in another order.
        for (a, b) in zip(counters.totals, plain.totals) { #expect(abs(a - b) < 1e-9 * max(1, b)) }
        #expect(counters.outcomesUsed == plain.outcomesUsed)
        #expect(counters.arms == plain.arms)
        #expect(try rows(grown, joins: false, "apart.csv").0.sorted() != expected.sorted())
    }
}

@Suite("Split users")
struct UserSampleTests {
    private func counts(_ partitions: [[UInt64]]) -> StreamCounts {
        partitions.reduce(into: StreamCounts()) { all, users in
            var part = StreamCounts()
            part.users = UserSample()
            for user in users { part.users?.see(user) }
            all.add(part)
        }
    }

    @Test(
        "Few users are counted exactly; of many, those of the sample: as sets would have it, and again from a checkpoint"
    )
    func likeSets() throws {
        var generator = SeededGenerator.announced("users")
        for most in [0, 1, 5, 300, 16_000, 16_384, 16_385, 40_000, 120_000] {
            // Also hashes that end or begin alike, and 0.
            let users = (0..<most).map { i -> UInt64 in
                switch i % 11 {
                case 0: UInt64(i)
                case 1: UInt64(i) << 40
                default: generator.next()
                }
            }
            let partitions = (0..<3).map { _ in
                users.filter { _ in Int.random(in: 0..<3, using: &generator) == 0 }.flatMap { [$0, $0] }.shuffled(
                    using: &generator)
            }
            let sets = partitions.map { Set($0) }
            let all = sets.reduce(Set<UInt64>()) { $0.union($1) }
            let split = all.filter { user in sets.count { $0.contains(user) } > 1 }
            let sample = try #require(counts(partitions).users)
            // The least number of zeros that leaves few enough.
            let zeros = (0...64).first { zeros in
                all.count { $0.trailingZeroBitCount >= zeros } <= 16_384
                    && sets.allSatisfy { $0.count { $0.trailingZeroBitCount >= zeros } <= 16_384 }
            }
            let wanted = try #require(zeros)
            #expect(sample.splitUsers == split.count { $0.trailingZeroBitCount >= wanted } << wanted, "\(most)")
            #expect(sample.isEstimate == (wanted > 0))
            let again = try JSONDecoder().decode(UserSample.self, from: JSONEncoder().encode(sample))
            #expect(again == sample)
        }
    }
}
