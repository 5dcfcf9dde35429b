import Base
import Kafka
import Pipeline
import Settings
import Testing

@Suite("What ties state and offsets")
struct StateTieTests {
    private let input = TopicPartition("events", 0)
    private let marks = Watermarks(low: 0, high: 100)

    private func judge(
        committed: Int64?, mark: StateTie.Mark? = StateTie.Mark(last: LastRecord(timestamp: 7), users: 3, changelog: 5),
        before: Int64? = 7, end: Int64 = 20, hasState: Bool = true, state: Int64? = 60, stateTime: Int64? = 7,
        exactlyOnce: Bool = true
    ) -> StateTie.Disagreement? {
        let offset = committed.map { CommittedOffset($0, metadata: mark?.text ?? "") }
        return StateTie.judge(
            StateTie.Finding(
                input: input, committed: offset, marks: marks, found: before.map { LastRecord(timestamp: $0) },
                changelogEnd: end, hasState: hasState,
                position: state.map {
                    StateTie.Position($0, last: stateTime.map { LastRecord(timestamp: $0) })
                }),
            isExactlyOnce: exactlyOnce)
    }

    @Test("What belongs together starts, also after commits that changed no user, and after an earlier version's")
    func agreement() {
        #expect(judge(committed: 60) == nil)
        #expect(judge(committed: 75) == nil)
        #expect(judge(committed: nil, end: 0, hasState: false, state: nil) == nil)
        #expect(judge(committed: 60, mark: nil) == nil)
        #expect(judge(committed: 10, mark: nil, state: nil) == nil)
        // Retention took the record before the offset: nothing can be said.
        #expect(judge(committed: 60, before: nil) == nil)
        #expect(judge(committed: 40, exactlyOnce: false) == nil)
    }

    @Test("Every disagreement is told by its kind")
    func disagreement() {
        #expect(judge(committed: nil) == .offsetGone(state: 60))
        #expect(judge(committed: nil, state: nil) == .offsetGone(state: nil))
        #expect(judge(committed: nil, before: 8) == .otherTopic(read: 60))
        #expect(judge(committed: nil, state: 101) == .beyondEnd(read: 101, end: 100))
        #expect(judge(committed: 0, mark: nil) == .offsetSet(state: 60, committed: 0))
        #expect(judge(committed: 90, mark: nil) == .offsetSet(state: 60, committed: 90))
        #expect(judge(committed: 40) == .offsetSet(state: 60, committed: 40))
        #expect(judge(committed: 101) == .beyondEnd(read: 101, end: 100))
        // Another program set it, and the topic is the one that the state was read from: or it is not.
        #expect(judge(committed: 999_999, mark: nil) == .offsetBeyondEnd(state: 60, committed: 999_999, end: 100))
        #expect(judge(committed: 999_999, mark: nil, before: 8) == .beyondEnd(read: 999_999, end: 100))
        #expect(judge(committed: 999_999, mark: nil, state: 101) == .beyondEnd(read: 999_999, end: 100))
        #expect(judge(committed: 60, before: 8) == .otherTopic(read: 60))
        #expect(judge(committed: 60, end: 0, hasState: false, state: nil) == .stateGone(committed: 60, users: 3))
        #expect(judge(committed: 60, end: 4) == .stateGone(committed: 60, users: 3))
    }

    @Test("A record of the same time and another content is another record; one that retention took says nothing")
    func checksums() {
        let read = LastRecord(offset: 58, timestamp: 7, checksum: 1)
        func judge(_ found: LastRecord?, committed: CommittedOffset?) -> StateTie.Disagreement? {
            StateTie.judge(
                StateTie.Finding(
                    input: input, committed: committed, marks: marks, found: found, changelogEnd: 20, hasState: true,
                    position: StateTie.Position(60, last: read)), isExactlyOnce: true)
        }
        let mark = StateTie.Mark(last: read, users: 3, changelog: 5).text
        let aligned = StateTie.Mark(last: read, users: 3, changelog: 5, isAligned: true).text
        let other = LastRecord(offset: 58, timestamp: 7, checksum: 2)
        for metadata in [mark, aligned] {
            let committed = CommittedOffset(60, metadata: metadata)
            #expect(judge(other, committed: committed) == .otherTopic(read: 60))
            #expect(judge(read, committed: committed) == nil)
            #expect(judge(nil, committed: committed) == nil)
        }
        #expect(judge(other, committed: nil) == .otherTopic(read: 60))
        #expect(judge(read, committed: nil) == .offsetGone(state: 60))
        #expect(judge(other, committed: CommittedOffset(200)) == .beyondEnd(read: 200, end: 100))
        #expect(judge(read, committed: CommittedOffset(200)) == .offsetBeyondEnd(state: 60, committed: 200, end: 100))
        // An earlier version knew the time alone.
        #expect(!LastRecord(timestamp: 7).differs(from: other))
        #expect(LastRecord(timestamp: 8).differs(from: other))
    }

    @Test("Key and value count, each by itself, null and empty too; the checksum is stored and stays the same")
    func checksumOfARecord() {
        func sum(_ key: String?, _ value: String?) -> UInt32 {
            func bytes<R>(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
                guard let text else { return body(nil) }
                return Array(text.utf8).withUnsafeBytes { body($0) }
            }
            return bytes(key) { key in bytes(value) { LastRecord.checksum(key: key, value: $0) } }
        }
        let all = [
            sum("u", "a"), sum("u", "b"), sum("v", "a"), sum("a", "u"), sum("ua", ""), sum("u", nil), sum("u", ""),
            sum(nil, "a"), sum("", "a"), sum(nil, nil),
        ]
        #expect(Set(all).count == all.count)
        #expect(sum("u-17", "{\"user_id\":\"u-17\"}") == 807_532_708)
    }

    @Test("An offset that a person aligned is taken as it is")
    func aligned() {
        let mark = StateTie.Mark(last: nil, users: 0, changelog: 0, isAligned: true)
        #expect(judge(committed: 0, mark: mark) == nil)
        #expect(judge(committed: 99, mark: mark) == nil)
        // Its state must be there, when it was aligned with one.
        let known = StateTie.Mark(last: nil, users: 3, changelog: 5, isAligned: true)
        #expect(judge(committed: 40, mark: known) == nil)
        #expect(
            judge(committed: 60, mark: known, end: 0, hasState: false, state: nil)
                == .stateGone(committed: 60, users: 3))
        #expect(judge(committed: 101, mark: mark) == .beyondEnd(read: 101, end: 100))
    }

    @Test(
        "A header is disbelieved when an offset of ours that the topic bears out stands against it; never otherwise")
    func disbelief() {
        func reason(
            _ offset: Int64, time: Int64? = 9, found: Int64? = 9, committed: Int64? = 60, users: Int = 3,
            mark: StateTie.Mark? = StateTie.Mark(last: LastRecord(timestamp: 7), users: 3, changelog: 5),
            before: Int64? = 7
        ) -> String? {
            PositionWitness(
                input: input, committed: committed.map { CommittedOffset($0, metadata: mark?.text ?? "") },
                marks: marks,
                found: before.map { LastRecord(timestamp: $0) }
            ).contradiction(
                StateTie.Position(offset, last: time.map { LastRecord(timestamp: $0) }),
                found: found.map { LastRecord(timestamp: $0) })
        }
        // Forged or damaged: beyond the end, or with a time that the record there does not have.
        #expect(reason(101)?.contains("offset 101") == true)
        #expect(reason(.max, time: nil, found: nil)?.contains("60 is committed") == true)
        #expect(reason(80, found: 8)?.contains("another one") == true)
        // Retention has taken the record before the committed offset: the end still tells.
        #expect(reason(101, before: nil) != nil)
        #expect(reason(80, found: 8, before: nil) == nil)
        // Genuine, or not to be told from it: at or before the offset; ahead of it with the right time, with none, or without
        // the record.
        for (offset, time, found) in [(60, 9, 8), (20, 9, 8), (80, 9, 9), (80, nil, 8), (80, 9, nil)]
            as [(Int64, Int64?, Int64?)]
        {
            #expect(reason(offset, time: time, found: found) == nil)
        }
        // Nothing vouches: no offset, another program's, a person's, one of a topic made anew.
        #expect(reason(101, committed: nil) == nil)
        #expect(reason(101, mark: nil) == nil)
        #expect(
            reason(101, mark: StateTie.Mark(last: LastRecord(timestamp: 7), users: 3, changelog: 5, isAligned: true))
                == nil)
        #expect(reason(101, before: 8) == nil)
        #expect(reason(200, committed: 150) == nil)
    }

    @Test("What one look alone found is not set aside")
    func disbelievedTwice() {
        var first = DisbelievedRecords()
        first.add(0, 5, "a")
        first.add(1, 5, "b")
        var second = DisbelievedRecords()
        second.add(1, 5, "b")
        second.add(1, 6, "c")
        let both = first.intersection(second)
        #expect(both[1] == [5: "b"] && both[0].isEmpty && both.count == 1)
    }

    @Test("Marks and positions read back as they are written; others' metadata is not a mark")
    func texts() {
        for mark in [
            StateTie.Mark(last: nil, users: 0, changelog: 0),
            StateTie.Mark(
                last: LastRecord(timestamp: 1_795_255_200_123), users: 40, changelog: 9_000_000_000, isAligned: true),
            StateTie.Mark(
                last: LastRecord(offset: 8_000_000_000, timestamp: -1, checksum: .max), users: 1, changelog: 2),
        ] { #expect(StateTie.Mark(mark.text) == mark) }
        for other in ["", "impactiq", "impactiq2 u=1", "host-1"] { #expect(StateTie.Mark(other) == nil) }
        let positions = [
            TopicPartition("a.b", 3): StateTie.Position(12, last: LastRecord(timestamp: 99)),
            TopicPartition("c", 3): StateTie.Position(0),
            TopicPartition("d", 3): StateTie.Position(
                70, last: LastRecord(offset: 68, timestamp: -1, checksum: .max)),
        ]
        #expect(
            StateTie.positions(StateTie.text(positions))
                == Dictionary(uniqueKeysWithValues: positions.map { ($0.key.topic, $0.value) }))
        #expect(
            StateTie.text(positions) == "a.b=12@99,c=0,d=70@-1@68@4294967295",
            "what earlier versions wrote is read, and they read what they know")
        #expect(StateTie.positions("").isEmpty)
    }
}

@Suite("Roles of topics")
struct TopicRolesTests {
    private func check(_ settings: String...) throws {
        try TopicRoles.check(
            Configuration(file: nil, environment: [:], overrides: ["input.topics=events"] + settings))
    }

    @Test("One topic has one role; all collisions are named")
    func collisions() throws {
        try check()
        for settings in [
            ["output.topic=events"], ["dead.letter.topic=events"], ["dead.letter.topic=uplift-scores"],
            ["output.topic=impactiq-state-changelog"], ["input.topics=events,events"], ["output.topic=a b"],
            ["output.topic=x.y", "dead.letter.topic=x_y"],
        ] {
            #expect(throws: ImpactError.self, "\(settings)") {
                try TopicRoles.check(Configuration(file: nil, environment: [:], overrides: settings))
            }
        }
        do {
            try check("output.topic=events", "dead.letter.topic=events")
        } catch let error as ImpactError {
            #expect(error.code == "topic_collision")
            #expect(error.message.contains("input.topics and by output.topic and by dead.letter.topic"))
        }
    }
}
