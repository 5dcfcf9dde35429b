import Backtest
import Base
import Events
import Features
import Foundation
import TestSupport
import Testing

/// Rows against the oracle on random streams in every order, and what must never be in them.
@Suite("Training rows")
struct RowsTests {
    private static let day: Int64 = 86_400_000

    /// Events of few users whose times jump back and forth: outcomes before assignments, assignments after exposures,
    /// duplicates, late arrivals, several assignments whose windows overlap.
    private func stream(_ generator: inout SeededGenerator, _ count: Int) -> [RowsOracle.Event] {
        var now: Int64 = 1_795_255_200_000
        var events: [RowsOracle.Event] = []
        func uniform(_ n: Int) -> Int { Int.random(in: 0..<n, using: &generator) }
        for i in 0..<count {
            now += Int64(uniform(3 * 3_600_000))
            var time = now
            switch uniform(8) {
            case 0: time -= Int64(uniform(12 * 3_600_000))
            case 1: time -= Int64(uniform(6)) * Self.day
            case 2: time = events.last?.time ?? now
            default: break
            }
            let types = ["page_view", "click", "purchase", "refund", "ad_view", "treatment", "own"]
            var event = RowsOracle.Event(user: "u-\(uniform(12))", type: types[uniform(types.count)], time: time)
            if uniform(5) > 0 { event.id = "e-\(i)" }
            if event.type == "treatment" || uniform(12) == 0 {
                event.arm = ["ad", "control", "arm, \"quoted\""][uniform(3)]
                event.propensity = uniform(3) > 0 ? 0.25 : nil
            }
            if ["purchase", "refund"].contains(event.type), uniform(6) > 0 { event.value = Double(uniform(400)) / 4 }
            if uniform(3) > 0 { event.x = Double(uniform(100)) }
            events.append(event)
            if uniform(10) == 0 { events.append(events[uniform(events.count)]) }
        }
        return events
    }

    private func write(
        _ files: [String], threads: Int = 2, _ change: (inout RowsOptions) -> Void = { _ in }
    ) throws -> (rows: [Int32: [RowsOracle.Row]], counters: RowsCounters, text: String) {
        let scratch = try TemporaryFolder()
        var options = RowsOptions(specification: try FeatureSpecification(json: Array(RowsOracle.features.utf8)))
        options.window = 2 * Self.day
        options.lateness = Self.day / 2
        options.limits.requiresKey = false
        options.threads = threads
        // As the oracle has it; streams of few users would close nothing before their end.
        options.leastUsers = 9
        change(&options)
        let sources = try FileSourceFactory(paths: files, topic: "events")
        let job = try RowsJob(
            options: options, spans: try sources.spans(from: .beginning, to: .end, warmUp: .none), sources: sources)
        let counters = try job.run(to: scratch.file("rows.csv"), progress: { _ in }, isStopped: { false })
        let text = try String(contentsOfFile: scratch.file("rows.csv"), encoding: .utf8)
        return (Self.parse(text, features: 5, outcomes: options.outcomes.count), counters, text)
    }

    /// Cuts the CSV; the arm is the one field with quotes.
    private static func parse(_ text: String, features: Int, outcomes: Int) -> [Int32: [RowsOracle.Row]] {
        var rows: [Int32: [RowsOracle.Row]] = [:]
        for line in text.split(separator: "\n").dropFirst() {
            let plain = line.replacing(#""arm, ""quoted""""#, with: "ODD")
            let cells = plain.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            let arm = cells[5] == "ODD" ? #"arm, "quoted""# : cells[5]
            rows[Int32(cells[0]) ?? -1, default: []].append(
                RowsOracle.Row(
                    offset: Int(cells[1]) ?? -1, user: cells[2], arm: arm,
                    features: cells[7..<7 + features].map { Float($0) },
                    outcomes: cells[7 + features..<7 + features + outcomes].map { Double($0) ?? .nan },
                    isCensored: cells[7 + features + outcomes] == "1"))
        }
        return rows
    }

    @Test("Equal the oracle's on random streams, for any number of threads")
    func equalTheOracle() throws {
        let scratch = try TemporaryFolder()
        var generator = SeededGenerator.announced("rows")
        var total = 0, censored = 0, outOfOrder = 0, late = 0, before = 0, converted = 0.0
        // As many streams as it takes until they hold what the test is about.
        func isCovered() -> Bool { total > 1_000 && censored > 50 && late > 50 && before > 50 && converted > 100 }
        for round in 0..<300 where round < 40 || !isCovered() {
            let streams = (0..<3).map { _ in stream(&generator, 150) }
            let files = try streams.enumerated().map { index, events in
                try scratch.write(events.map(\.json).joined(separator: "\n"), "e\(index).jsonl")
            }
            let made = try write(files, threads: 1 + round % 3)
            let oracle = RowsOracle(window: 2 * Self.day, lateness: Self.day / 2)
            for (index, events) in streams.enumerated() {
                let expected = oracle.rows(events)
                #expect(made.rows[Int32(index)] ?? [] == expected.rows, "round \(round), file \(index)")
                outOfOrder += expected.outOfOrder
                converted += expected.rows.reduce(0) { $0 + $1.outcomes[0] }
            }
            total += made.counters.rows
            censored += made.counters.censored
            late += made.counters.outcomesLate
            before += made.counters.outcomesBefore
            outOfOrder -= made.counters.outOfOrder
        }
        #expect(outOfOrder == 0)
        #expect(
            isCovered(), "\(total) rows, \(censored) censored, \(late) late, \(before) before, \(converted) converted")
    }

    @Test("Leaky rows are caught: with the exposure itself, or with what comes after, the oracle disagrees")
    func leaksAreCaught() throws {
        var generator = SeededGenerator.announced("leaks")
        var applied = 0, future = 0, rows = 0
        for _ in 0..<10 {
            let events = stream(&generator, 150)
            let expected = RowsOracle(window: 2 * Self.day, lateness: Self.day / 2).rows(events).rows
            rows += expected.count
            let after = try leaky(events, readsAtEnd: false), end = try leaky(events, readsAtEnd: true)
            for row in expected {
                if after[row.offset] != row.features { applied += 1 }
                if end[row.offset] != row.features { future += 1 }
            }
        }
        #expect(rows > 150)
        #expect(applied == rows, "every row counts its own event in campaigns_all")
        #expect(future > rows / 2)
    }

    /// What a row-maker that forgets the order would take for features: those with the assignment applied, or those at
    /// the end of the stream.
    private func leaky(_ events: [RowsOracle.Event], readsAtEnd: Bool) throws -> [Int: [Float?]] {
        let plan = try FeaturePlan(FeatureSpecification(json: Array(RowsOracle.features.utf8)))
        let state = PartitionState(plan: plan)
        var limits = EventLimits()
        limits.requiresKey = false
        let batch = EventBatch(schema: plan.schema, limits: limits, capacity: events.count)
        for (i, event) in events.enumerated() {
            try Array(event.json.utf8).withUnsafeBytes {
                try batch.append($0, key: nil, source: SourcePosition(offset: Int64(i)))
            }
        }
        var leaked: [Int: [Float?]] = [:]
        for i in 0..<batch.count {
            _ = state.apply(batch, i)
            if events[i].arm != nil, !readsAtEnd { leaked[i] = state.features(ofUser: batch.user(i)).map(optional) }
        }
        guard readsAtEnd else { return leaked }
        for i in 0..<batch.count where events[i].arm != nil {
            leaked[i] = state.features(ofUser: batch.user(i)).map(optional)
        }
        return leaked
    }

    private func optional(_ row: [Float]) -> [Float?] { row.map { $0.isNaN ? nil : $0 } }

    @Test("Own outcomes, assignment types and censored rows left out")
    func options() throws {
        let scratch = try TemporaryFolder()
        let start: Int64 = 1_795_255_200_000
        let events: [RowsOracle.Event] = [
            .init(user: "a", type: "click", time: start - 10),
            .init(user: "a", type: "treatment", time: start, arm: "ad", propensity: 0.5),
            .init(user: "a", type: "ad_view", time: start + 1, arm: "ad", propensity: 0.5),
            .init(user: "a", type: "click", time: start + 2), .init(user: "a", type: "click", time: start + 3),
            .init(user: "b", type: "treatment", time: start + 2 * Self.day, arm: "control"),
            // One user's clock alone ends nobody's window.
            .init(user: "c", type: "click", time: start + 2 * Self.day),
        ]
        let file = try scratch.write(events.map(\.json).joined(separator: "\n"), "e.jsonl")
        let made = try write([file]) {
            $0.outcomes = [OutcomeRule("clicks", .count, ["click"])]
            $0.assignmentTypes = ["treatment"]
            $0.keepsCensored = false
        }
        #expect(made.counters.rows == 1 && made.counters.censored == 1)
        let row = try #require(made.rows[0]?.first)
        #expect(row.outcomes == [2] && row.features[0] == 1 && row.features[4] == 1)
        #expect(made.text.hasPrefix("partition,offset,user_id,time,experiment,arm,arm_propensity,clicks_2d,x,"))
    }

    @Test("One user whose clock is days ahead does not end everybody's outcome windows; a second one does")
    func clockAhead() throws {
        let scratch = try TemporaryFolder()
        let start: Int64 = 1_795_255_200_000
        var events: [RowsOracle.Event] = [
            .init(user: "odd", type: "click", time: start + 30 * Self.day),
            .init(user: "a", type: "treatment", time: start, arm: "ad"),
            .init(user: "b", type: "treatment", time: start + 1, arm: "control"),
            .init(user: "odd", type: "click", time: start + 31 * Self.day),
            .init(user: "a", type: "purchase", time: start + Self.day, value: 20),
            .init(user: "b", type: "click", time: start + Self.day + 1),
        ]
        func rows(_ name: String) throws -> (rows: [RowsOracle.Row], counters: RowsCounters) {
            let made = try write([try scratch.write(events.map(\.json).joined(separator: "\n"), name)])
            return (made.rows[0] ?? [], made.counters)
        }
        let open = try rows("open.jsonl")
        #expect(open.rows.map(\.outcomes) == [[1, 20, 0], [0, 0, 1]])
        #expect(open.rows.map(\.isCensored) == [true, true])
        #expect(open.counters.outcomesLate == 0)
        #expect(open.counters.leads == [0: 30 * Self.day - 1])
        events.append(.init(user: "c", type: "click", time: start + 31 * Self.day))
        let closed = try rows("closed.jsonl")
        #expect(closed.rows.map(\.outcomes) == [[1, 20, 0], [0, 0, 1]])
        #expect(closed.rows.map(\.isCensored) == [false, false])
        #expect(closed.counters.leads.isEmpty)
    }

    @Test("A few users whose clocks are days ahead do not end anybody's windows, wherever they come in the stream")
    func clocksAhead() throws {
        let scratch = try TemporaryFolder()
        let start: Int64 = 1_795_255_200_000
        for place in [0, 1, 25, 49] {
            var events = (0..<50).map {
                RowsOracle.Event(user: "u-\($0)", type: "treatment", time: start + Int64($0), arm: "ad")
            }
            events += (0..<50).map {
                .init(user: "u-\($0)", type: "purchase", time: start + Self.day + Int64($0), value: 1)
            }
            let odd = ["odd-1", "odd-2"].map { RowsOracle.Event(user: $0, type: "click", time: start + 40 * Self.day) }
            events.insert(contentsOf: odd, at: place)
            let made = try write([try scratch.write(events.map(\.json).joined(separator: "\n"), "odd-\(place).jsonl")])
            #expect(made.rows[0]?.count == 50)
            #expect(made.rows[0]?.allSatisfy { $0.outcomes[0] == 1 && $0.isCensored } == true, "at \(place)")
            #expect(made.counters.leads == [0: 39 * Self.day - 49], "at \(place)")
        }
    }

    @Test(
        "In a sparse or evenly spaced stream, where each user is far ahead of the one before, windows end with the data"
    )
    func sparse() throws {
        let scratch = try TemporaryFolder()
        let start: Int64 = 1_795_255_200_000
        let streams: [(users: Int, gap: Int64, window: Int64, lateness: Int64)] = [
            (60, 2 * Self.day, 7 * Self.day, Self.day), (500, Self.day / 2, 7 * Self.day, Self.day),
            (2_000, 100_000, 10_000, 1_000), (2_000, 100_000, 3_600_000, 3_600_000),
            (12, 9 * Self.day, Self.day, 1_000),
        ]
        for (users, gap, window, lateness) in streams {
            let events = (0..<users).flatMap { i -> [RowsOracle.Event] in
                let time = start + Int64(i) * gap
                return [
                    .init(user: "u-\(i)", type: "treatment", time: time, arm: "ad"),
                    .init(user: "u-\(i)", type: "purchase", time: time + 1_000, value: 1),
                ]
            }
            let file = try scratch.write(events.map(\.json).joined(separator: "\n"), "\(users)-\(gap)-\(window).jsonl")
            let made = try write([file]) {
                $0.window = window
                $0.lateness = lateness
                $0.leastUsers = RowsOptions(specification: $0.specification).leastUsers
            }
            let end = start + Int64(users - 1) * gap + 1_000
            let open = (0..<users).count { start + Int64($0) * gap + window > end }
            #expect(made.counters.rows == users)
            #expect(made.counters.censored == open, "\(users) users, \(gap) apart")
            #expect(made.counters.totals[0] == Double(users))
            #expect(made.counters.outcomesLate == 0)
        }
    }

    @Test("Users whose clocks are ahead by weeks lose nobody an outcome: a handful at the beginning, or dozens at once")
    func manyClocksAhead() throws {
        let scratch = try TemporaryFolder()
        let start: Int64 = 1_795_255_200_000
        let hour: Int64 = 3_600_000
        let assigned = (0..<200).map { i -> RowsOracle.Event in
            .init(user: "u-\(i)", type: "treatment", time: start + Int64(i) * hour, arm: "ad")
        }
        let bought = (0..<200).map { i -> RowsOracle.Event in
            .init(user: "u-\(i)", type: "purchase", time: start + Int64(i) * hour + 3 * Self.day, value: 1)
        }
        let clean = (assigned + bought).sorted { $0.time < $1.time }
        func made(_ events: [RowsOracle.Event], _ name: String) throws -> RowsCounters {
            try write([try scratch.write(events.map(\.json).joined(separator: "\n"), name)]) {
                $0.window = 7 * Self.day
                $0.lateness = Self.day
                $0.leastUsers = RowsOptions(specification: $0.specification).leastUsers
            }.counters
        }
        let expected = try made(clean, "clean.jsonl")
        #expect(expected.totals[0] == 200 && expected.censored == 96)
        // Of thousands some hundreds at once, in the middle.
        let start2 = start + Int64(1_000)
        let pairs = (0..<4_000).flatMap { i -> [RowsOracle.Event] in
            let time = start2 + Int64(i) * hour / 20
            return [
                .init(user: "u-\(i)", type: "treatment", time: time, arm: "ad"),
                .init(user: "u-\(i)", type: "purchase", time: time + 3 * Self.day, value: 1),
            ]
        }
        var many = pairs.sorted { $0.time < $1.time }
        let all = try made(many, "many.jsonl")
        #expect(all.totals[0] == 4_000)
        many.insert(
            contentsOf: (0..<300).map {
                RowsOracle.Event(user: "q-\($0)", type: "page_view", time: start + 40 * Self.day)
            }, at: 4_000)
        let broken = try made(many, "broken.jsonl")
        #expect(broken.totals == all.totals && broken.outcomesLate == 0)
        // At the end the clock looks at a sixteenth of the users, and stands some of their gaps of 16 rows behind the last.
        #expect((0..<4 * 16).contains(broken.censored - all.censored), "\(broken.censored) \(all.censored)")
        for (users, isKnown) in [(1, true), (5, true), (30, false)] {
            var events = clean
            events.insert(
                contentsOf: (0..<users).map { i in
                    RowsOracle.Event(
                        user: isKnown ? "u-\(i)" : "q-\(i)", type: "page_view", time: start + 20 * Self.day)
                }, at: 25)
            let found = try made(events, "ahead-\(users).jsonl")
            #expect(found.totals == expected.totals, "\(users) users")
            #expect(found.censored == expected.censored, "\(users) users")
            #expect(found.outcomesLate == 0)
        }
    }

    @Test("A pause of the whole stream ends windows: everybody is ahead of the clock then")
    func pause() throws {
        let scratch = try TemporaryFolder()
        let start: Int64 = 1_795_255_200_000
        let events =
            (0..<40).map { RowsOracle.Event(user: "u-\($0)", type: "treatment", time: start, arm: "ad") }
            + (0..<40).map { .init(user: "u-\($0)", type: "click", time: start + 10 * Self.day + Int64($0)) }
        let made = try write([try scratch.write(events.map(\.json).joined(separator: "\n"), "pause.jsonl")])
        #expect(made.rows[0]?.allSatisfy { !$0.isCensored && $0.outcomes == [0, 0, 0] } == true)
        #expect(made.counters.leads.isEmpty)
    }

    @Test(
        "Users with events in several partitions are counted, also where there are too many to keep all; files are guarded as topics"
    )
    func splitUsersAndTimes() throws {
        let scratch = try TemporaryFolder()
        let start: Int64 = 1_795_255_200_000
        func file(_ users: Range<Int>, _ name: String) throws -> String {
            try scratch.write(
                users.map { RowsOracle.Event(user: "u-\($0)", type: "click", time: start + Int64($0)).json }
                    .joined(separator: "\n"), name)
        }
        let apart = try write([try file(0..<500, "a.jsonl"), try file(500..<900, "b.jsonl")])
        #expect(apart.counters.stream.users?.finding == nil)
        let split = try write([try file(0..<500, "c.jsonl"), try file(490..<900, "d.jsonl")])
        #expect(split.counters.stream.users?.splitUsers == 10)
        let many = try write([try file(0..<40_000, "e.jsonl"), try file(30_000..<60_000, "f.jsonl")])
        let users = try #require(many.counters.stream.users)
        #expect(users.isEstimate && (8_000...12_000).contains(users.splitUsers), "\(users.splitUsers)")
        #expect(throws: ImpactError.self) {
            _ = try FileSourceFactory(paths: [scratch.file("a.jsonl"), scratch.file("./a.jsonl")], topic: "t")
        }
        // Times are guarded against the present, seconds for milliseconds among them.
        let seconds = try scratch.write(
            #"{"user_id":"a","type":"click","time":1795255200}"# + "\n"
                + #"{"user_id":"b","type":"click","time":1795255200000}"# + "\n"
                + #"{"user_id":"c","type":"click","time":1805255200000}"#, "seconds.jsonl")
        let source = try FileSourceFactory(paths: [seconds], topic: "t", present: start).make(component: "test")
        try source.begin(PartitionSpan(partition: 0, first: 0, from: 0, end: .max))
        var stamps: [Int64] = []
        while try source.read(max: 10, { stamps.append($0.timestamp) }) {}
        #expect(stamps == [start, start, start])
        var options = RowsOptions(specification: try FeatureSpecification(json: Array(RowsOracle.features.utf8)))
        options.limits.requiresKey = false
        let job = try RowsJob(
            options: options,
            spans: [PartitionSpan(partition: 0, first: 0, from: 0, end: .max)],
            sources: try FileSourceFactory(paths: [seconds], topic: "t", present: start))
        #expect(throws: CancellationError.self) {
            _ = try job.run(to: scratch.file("none.csv"), progress: { _ in }, isStopped: { false }) { counters in
                #expect(counters.stream.rejected == ["time_too_old": 1, "time_in_future": 1])
                throw CancellationError()
            }
        }
        #expect(!FileManager.default.fileExists(atPath: scratch.file("none.csv")))
    }

    @Test("Values that no outcome and no feature can use are counted by field; the events live")
    func unusableValues() throws {
        let scratch = try TemporaryFolder()
        let lines = [
            #"{"user_id":"a","type":"treatment","time":1795255200000,"treatment":{"arm":"ad"}}"#,
            #"{"user_id":"a","type":"purchase","time":1795255200001,"value":"12,50"}"#,
            #"{"user_id":"a","type":"purchase","time":1795255200002,"value":3}"#,
        ]
        let made = try write([try scratch.write(lines.joined(separator: "\n"), "e.jsonl")])
        #expect(made.counters.stream.unusable == ["value": 1])
        #expect(made.counters.stream.rejected.isEmpty && made.counters.stream.events == 3)
        #expect(made.counters.outcomesWithoutValue == 1)
        #expect(made.rows[0]?.map(\.outcomes) == [[1, 3, 0]])
    }

    @Test("Two columns of one name are refused before anything is read")
    func columns() throws {
        do {
            _ = try write([]) { $0.outcomes = [OutcomeRule("x", .any, ["click"])] }
            Issue.record("accepted")
        } catch let error as ImpactError {
            #expect(error.kind == .usage && error.message.contains("'x'"))
        }
    }
}
