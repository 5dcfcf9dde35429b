import Attribution
import AttributionStore
import Base
import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

@Suite struct IHCClientTests {
    /// Answers as an API does: by the built-in curves, for every conversion that `isAnswered`.
    private static func answer(_ body: String, _ isAnswered: (String) -> Bool = { _ in true }, factor: Double = 1)
        -> String
    {
        guard let document = try? JSONValue(parsing: Array(body.utf8), name: "request") else { return "{}" }
        var rows: [String] = []
        var journeys: [String: [(session: String, time: Int64, flags: Touch.Flags)]] = [:]
        var clock = LocalClock(TimeZone(identifier: "UTC")!)
        for row in document["customer_journeys"]?.array ?? [] {
            var flags: Touch.Flags = []
            if row["holder_engagement"]?.number == 1 { flags.insert(.holderEngagement) }
            if row["closer_engagement"]?.number == 1 { flags.insert(.closerEngagement) }
            journeys[row["conversion_id"]?.string ?? "", default: []].append(
                (
                    row["session_id"]?.string ?? "", clock.read(date: nil, time: row["timestamp"]?.string)?.time ?? 0,
                    flags
                ))
        }
        for (id, sessions) in journeys where isAnswered(id) {
            let touches = sessions.map { Touch(session: $0.session, channel: 0, time: $0.time, flags: $0.flags) }
            for (touch, ihc) in zip(touches, IHCModel(.standard).credit(of: touches)) {
                rows.append("{\"conversion_id\":\"\(id)\",\"session_id\":\"\(touch.session)\",\"ihc\":\(ihc * factor)}")
            }
        }
        return "{\"statusCode\":200,\"value\":[\(rows.joined(separator: ","))]}"
    }

    private func team(_ seed: UInt64) throws -> (Scratch, SQLiteDatabase, [Journey], ChannelTable) {
        let scratch = try Scratch()
        let database = try scratch.database()
        try Tables(seed: seed, users: 300).write(database)
        let reader = JourneyReader(database, try Tables.reading(), channels: ChannelTable())
        var journeys: [Journey] = []
        try database.transaction(writing: false) { () throws(ImpactError) in
            try reader.forEachJourney { (journey) throws(ImpactError) in
                if journey.conversion != nil { journeys.append(journey) }
            }
        }
        return (scratch, database, journeys, reader.channels)
    }

    private func client(_ server: LoopbackServer, _ channels: ChannelTable, timeout: Int = 20_000, attempts: Int = 6)
        throws -> IHCClient
    {
        var settings = IHCClient.Settings(url: server.url, key: "secret-key")
        settings.timeout = timeout
        settings.attempts = attempts
        return try IHCClient(settings, channels: channels, sleep: { _ in })
    }

    /// The conversions that a request names.
    private static func conversions(_ body: String) -> Set<String> {
        let document = try? JSONValue(parsing: Array(body.utf8), name: "request")
        return Set((document?["customer_journeys"]?.array ?? []).compactMap { $0["conversion_id"]?.string })
    }

    @Test func aServerThatThrottlesTimesOutHangsUpAndCutsItsAnswers() throws {
        let (scratch, database, journeys, channels) = try team(21)
        defer { withExtendedLifetime(scratch) {} }
        let server = try LoopbackServer { number, body in
            switch number {
            case 0: .status(429, retryAfter: "3")
            case 1: .hangUp
            case 2: .cut(Self.answer(body))
            case 3: .status(503, retryAfter: nil)
            case 4: .json("{\"message\":\"try later\"}")
            case 6: .silence(8_000)
            default: .json(Self.answer(body))
            }
        }
        defer { server.stop() }
        let waits = Mutex<[Double]>([])
        var settings = IHCClient.Settings(url: server.url, key: "secret-key")
        settings.timeout = 4_000
        settings.backOff = 100
        let client = try IHCClient(settings, channels: channels, sleep: { wait in waits.withLock { $0.append(wait) } })
        let outcome = try IHCCollection.collect(journeys, channels, client, IHCAnswers(database))
        #expect(outcome.answeredNow == journeys.count && outcome.unanswered == 0)
        #expect(client.retries == 6)
        // The server's wish, then twice as long each time, and from the start again for the next call.
        #expect(waits.withLock { $0 } == [3_000, 6_000, 12_000, 24_000, 48_000, 100])
        let requests = server.received
        #expect(requests.allSatisfy { $0.headers.lowercased().contains("x-api-key: secret-key") })
        #expect(requests[0].headers.hasPrefix("POST /v1/compute_ihc?conv_type_id=test "))
        let row = try #require(
            try JSONValue(parsing: Array(requests[0].body.utf8), name: "body")["customer_journeys"]?.array?.first)
        #expect(
            row.members?.map(\.name) == [
                "conversion_id", "session_id", "timestamp", "channel_label", "holder_engagement", "closer_engagement",
                "conversion", "impression_interaction",
            ])
        // What is stored is what the built-in model says, to the last unit.
        _ = try run(database, .ihc, answers: true)
        let stored = try results(database)
        _ = try run(database, .ihc)
        #expect(try results(database) == stored)
    }

    @Test func partialAndWrongAnswersAreAskedAgainAndNeverStored() throws {
        let (scratch, database, journeys, channels) = try team(22)
        defer { withExtendedLifetime(scratch) {} }
        let first = try LoopbackServer { number, body in
            // Without some conversions; then with credits that do not add up.
            number % 2 == 0 ? .json(Self.answer(body) { !$0.hasSuffix("0") }) : .json(Self.answer(body, factor: 0.5))
        }
        let outcome = try IHCCollection.collect(journeys, channels, client(first, channels), IHCAnswers(database))
        first.stop()
        #expect(outcome.unanswered > 0 && outcome.answeredNow > 0 && outcome.why != nil)
        let part = try run(database, .ihc, answers: true)
        #expect(part.unanswered == outcome.unanswered)
        #expect(
            try database.value(
                "SELECT count(*) FROM (SELECT 1 FROM attribution_customer_journey GROUP BY conv_id HAVING sum(ihc) <> 1)"
            ) == "0")
        // The rest comes from a server that is well, and nothing else is sent.
        let second = try LoopbackServer { _, body in .json(Self.answer(body)) }
        defer { second.stop() }
        let rest = try IHCCollection.collect(journeys, channels, client(second, channels), IHCAnswers(database))
        #expect(rest.answeredNow == outcome.unanswered && rest.answeredBefore == outcome.answeredNow)
        #expect(second.received.map { Self.conversions($0.body).count }.reduce(0, +) == outcome.unanswered)
        #expect(try run(database, .ihc, answers: true).unanswered == 0)
    }

    @Test func afterAStopNothingThatWasAnsweredIsSentAgain() throws {
        let (scratch, database, journeys, channels) = try team(23)
        defer { withExtendedLifetime(scratch) {} }
        #expect(journeys.count > 200)
        // The second call never succeeds: the run ends there, as if it were killed.
        let first = try LoopbackServer { number, body in
            number == 0 ? .json(Self.answer(body)) : .status(500, retryAfter: nil)
        }
        #expect(throws: ImpactError.self) {
            try IHCCollection.collect(journeys, channels, client(first, channels, attempts: 2), IHCAnswers(database))
        }
        first.stop()
        let answered = Self.conversions(first.received[0].body)
        #expect(answered.count == IHCClient.maximumJourneys)
        let second = try LoopbackServer { _, body in .json(Self.answer(body)) }
        defer { second.stop() }
        let rest = try IHCCollection.collect(journeys, channels, client(second, channels), IHCAnswers(database))
        #expect(rest.answeredBefore == answered.count && rest.answeredNow == journeys.count - answered.count)
        for request in second.received { #expect(Self.conversions(request.body).isDisjoint(with: answered)) }
        // A journey that changed is sent again.
        var changed = journeys
        changed[0].touches.removeLast(changed[0].touches.count > 1 ? 1 : 0)
        changed[0].touches[0].time -= 5
        let again = try IHCCollection.collect(changed, channels, client(second, channels), IHCAnswers(database))
        #expect(again.answeredNow == 1)
    }

    /// The program, killed when it has an answer and may not have stored it yet: what is stored is never sent again, what was on
    /// its way is, and the result is that of a run that nothing disturbed.
    @Test func killedBetweenAnAnswerAndItsStore() throws {
        let program = SharedMaterial.repository.appending(path: ".build/release/impactiq").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            print("skipped: needs the program impactiq beside the tests")
            return
        }
        let (scratch, database, journeys, _) = try team(25)
        #expect(journeys.count > 200)
        let key = scratch.path + "/key"
        try "secret-key".write(toFile: key, atomically: true, encoding: .utf8)
        let child = Mutex<pid_t>(0)
        /// Calls the API until the call of this number, which kills the process.
        func call(_ server: LoopbackServer) throws -> Int32 {
            let process = try Spawn.start([
                program, "attribute", "call-ihc", "--source", "sqlite:\(scratch.path)/team.db", "--url", server.url,
                "--key-file", key, "--lookback", "30d",
            ])
            child.withLock { $0 = process }
            return Spawn.wait(process)
        }
        func stored() throws -> Set<String> {
            let rows = try database.query("SELECT DISTINCT conv_id FROM impactiq_ihc_answers", [])
            var stored: Set<String> = []
            while try rows.next() { stored.insert(rows.text(0) ?? "") }
            return stored
        }
        var known: Set<String> = []
        var lost = 0
        for round in 0..<8 {
            let server = try LoopbackServer { number, body in
                let last = round < 4 ? 0 : 1
                guard number == last else { return .json(Self.answer(body)) }
                return .jsonThen(Self.answer(body)) {
                    // From at once to when it may be stored: both happen.
                    usleep(UInt32(round % 4) * 1_500)
                    child.withLock { _ = kill($0, SIGKILL) }
                    // Nothing more is said to what may have lived a moment longer.
                }
            }
            let status = try call(server)
            server.stop()
            for request in server.received {
                #expect(Self.conversions(request.body).isDisjoint(with: known), "round \(round)")
            }
            if status == 0 { break }
            let sent = server.received.reduce(into: Set<String>()) { $0.formUnion(Self.conversions($1.body)) }
            let now = try stored()
            #expect(now.isSuperset(of: known) && now.subtracting(known).isSubset(of: sent))
            // A call is stored whole or not at all.
            #expect((now.count - known.count) % IHCClient.maximumJourneys == 0 || now.count == journeys.count)
            if !sent.isSubset(of: now) { lost += 1 }
            known = now
        }
        let server = try LoopbackServer { _, body in .json(Self.answer(body)) }
        defer { server.stop() }
        #expect(try call(server) == 0)
        for request in server.received { #expect(Self.conversions(request.body).isDisjoint(with: known)) }
        #expect(try stored() == Set(journeys.compactMap { $0.conversion?.id }))
        let called = try results(database)
        _ = try run(database, .ihc)
        #expect(try results(database) == called)
        print("killed with an answer that was not stored yet in \(lost) rounds")
    }

    @Test func aRefusalEndsTheRunAtOnce() throws {
        let (scratch, database, journeys, channels) = try team(24)
        defer { withExtendedLifetime(scratch) {} }
        let server = try LoopbackServer { _, _ in .status(403, retryAfter: nil) }
        defer { server.stop() }
        do {
            _ = try IHCCollection.collect(journeys, channels, client(server, channels), IHCAnswers(database))
            Issue.record("a refused call went on")
        } catch let error as ImpactError {
            #expect(error.code == "ihc_api_refused" && !error.message.contains("secret-key"))
        }
        #expect(server.received.count == 1)
    }

    @Test func aWaitIsAsLongAsTheServerAsksInSecondsOrUntilADate() throws {
        let (scratch, _, journeys, channels) = try team(25)
        defer { withExtendedLifetime(scratch) {} }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "GMT")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        let date = format.string(from: Date(timeIntervalSinceNow: 500))
        let server = try LoopbackServer { number, body in
            number == 0
                ? .status(429, retryAfter: date)
                : number == 1 ? .json(Self.answer(body)) : .status(429, retryAfter: "86400")
        }
        defer { server.stop() }
        let waits = Mutex<[Double]>([])
        var settings = IHCClient.Settings(url: server.url, key: "k")
        settings.backOff = 10
        let client = try IHCClient(settings, channels: channels, sleep: { wait in waits.withLock { $0.append(wait) } })
        _ = try client.compute([journeys[0]])
        #expect(waits.withLock { $0.count == 1 && $0[0] > 100_000 && $0[0] <= 500_000 })
        // Longer than anybody's patience: it ends at once and says how long.
        do {
            _ = try client.compute([journeys[0]])
            Issue.record("a day's wait was begun")
        } catch {
            #expect(error.code == "ihc_api_wait" && error.message.contains("86400 s"))
        }
        #expect(server.received.count == 3)
    }

    @Test func anAnswerThatIsRefusedSaysWhy() throws {
        let (scratch, _, journeys, channels) = try team(26)
        defer { withExtendedLifetime(scratch) {} }
        let journey = try #require(journeys.first { $0.touches.count == 2 })
        func row(_ index: Int, _ ihc: String) -> String {
            #"{"conversion_id":"\#(journey.conversion!.id)","session_id":"\#(journey.touches[index].session)","ihc":\#(ihc)}"#
        }
        for (rows, why) in [
            ([row(0, "1.5"), row(1, "-0.5")], "below 0"), ([row(0, "null"), row(1, "1")], "no number"),
            ([row(0, "1"), row(0, "0"), row(1, "0")], "twice"), ([row(0, "1")], "other sessions"), ([], "no answer"),
            ([row(0, "0.4"), row(1, "0.4")], "adds up to 0.8"),
        ] {
            let server = try LoopbackServer { _, _ in .json("{\"value\":[\(rows.joined(separator: ","))]}") }
            defer { server.stop() }
            let answer = try client(server, channels).compute([journey])
            #expect(answer.credit.isEmpty)
            #expect(answer.failed.first?.why.contains(why) == true, "\(answer.failed)")
        }
    }

    @Test func oneCallerAtATime() throws {
        let scratch = try Scratch()
        let (one, other) = (try scratch.database(), try scratch.database())
        var first: CallerLock? = try CallerLock(one)
        #expect(throws: ImpactError.self) { _ = try CallerLock(other) }
        #expect(first != nil)
        first = nil
        #expect(throws: Never.self) { _ = try CallerLock(other) }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: scratch.path).allSatisfy { !$0.hasSuffix(".call-ihc") })
    }

    /// A robot's journey, which no call may hold, neither fails the nightly run nor gets any credit.
    @Test func aJourneyTooLongForACallIsCounted() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        var tables = Tables()
        tables.sessions = (0...IHCClient.maximumSessions).map { index in
            [
                "s\(index)", "robot", "2024-01-01",
                String(format: "%02d:%02d:%02d", index / 3600, index / 60 % 60, index % 60), "A", "1", "1", "0",
            ]
        }
        tables.conversions = [["c1", "robot", "2024-01-02", "10:00:00", "12"]]
        try tables.write(database)
        _ = try IHCAnswers(database)
        let outcome = try run(database, .ihc, answers: true)
        #expect(outcome.unanswered == 0 && outcome.attributed == 0)
        #expect(outcome.tooLong.rows == 1 && outcome.tooLong.sum == Money(12))
        #expect(outcome.notes.contains { $0.contains("more than 3000 sessions, revenue 12.00") })
    }

    @Test func callsHoldNoMoreThanTheyMay() {
        func journey(_ id: Int, _ count: Int) -> Journey {
            Journey(
                touches: (0..<count).map { Touch(session: "\(id)-\($0)", channel: 0, time: Int64($0)) },
                conversion: Conversion(id: "\(id)", time: 1_000_000))
        }
        let journeys = (0..<450).map { journey($0, 1 + ($0 * 37) % 90) } + [journey(999, 3_000)]
        let calls = IHCClient.calls(journeys)
        #expect(calls.joined().compactMap { $0.conversion?.id } == journeys.compactMap { $0.conversion?.id })
        for call in calls {
            #expect(call.count <= 100 && call.reduce(0) { $0 + $1.touches.count } <= 3_000)
        }
    }

    @Test func onlyHTTPSLeavesThisMachine() {
        #expect(throws: ImpactError.self) { try IHCClient.Settings(url: "http://api.example.com/x", key: "k").check() }
        #expect(throws: ImpactError.self) { try IHCClient.Settings(url: "file:///etc/passwd", key: "k").check() }
        #expect(throws: ImpactError.self) {
            try IHCClient.Settings(url: "https://api.example.com/x", key: "a\r\nb: c").check()
        }
        #expect(throws: ImpactError.self) {
            try IHCClient.Settings(url: "https://api.example.com/a b", key: "k").check()
        }
        #expect(throws: Never.self) { try IHCClient.Settings(url: "https://api.example.com/x", key: "k").check() }
    }
}
