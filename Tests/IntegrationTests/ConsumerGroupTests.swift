import Consumer
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

/// A member that processes records into memory and makes them count when their offsets are committed.
private final class Member {
    let consumer: EventConsumer
    let handler = RecordingHandler()
    private(set) var counted: [Int: [Int64]] = [:]
    private var pending: [TopicPartition: [Int64]] = [:]
    private(set) var problems: [String] = []

    init(_ fixture: ConsumerFixture, group: String, instance: String? = nil) throws {
        consumer = try fixture.consumer(group: group) {
            $0.groupInstance = instance
            $0.sessionTimeoutMilliseconds = 6_000
        }
        consumer.handler = handler
        handler.onRevoked = { [unowned self] partitions in
            commit()
            if !pending.isEmpty { problems.append("records of \(pending.keys) after \(partitions) were revoked") }
        }
        handler.onLost = { [unowned self] _ in pending = [:] }
        try consumer.subscribe()
    }

    func step(max: Int) throws {
        let batch = try consumer.poll(max: max, timeoutMilliseconds: 20)
        for i in 0..<batch.count {
            let place = TopicPartition(consumer.topics[Int(batch[i].topic)], batch[i].partition)
            if !handler.assignedNow.contains(place) { problems.append("a record of \(place), which is not owned") }
            pending[place, default: []].append(batch[i].offset)
        }
    }

    func commit() {
        if pending.isEmpty { return }
        do {
            try consumer.commit(pending.compactMapValues { $0.last.map { $0 + 1 } })
            for (place, offsets) in pending { counted[Int(place.partition), default: []] += offsets }
        } catch {
            problems.append("\(error)")
        }
        pending = [:]
    }
}

@Suite("The consumer group on a real broker", .serialized)
struct ConsumerGroupTests {
    @Test("While members come and go, each record counts exactly once and in order")
    func rebalances() throws {
        guard let fixture = try ConsumerFixture(partitions: 6) else { return }
        var random = SeededGenerator.announced()
        let group = TestBroker.unique("group")
        let total = 12_000
        let writer = try fixture.producer()
        var written = 0
        var members = [try Member(fixture, group: group)]
        var gone: [Member] = []
        // Against a hang alone: a busy machine took two minutes.
        let deadline = Date() + 600
        func counted() -> Int { (members + gone).reduce(0) { $0 + $1.counted.values.reduce(0) { $0 + $1.count } } }
        while counted() < total && Date() < deadline {
            if written < total {
                try fixture.write(written..<min(total, written + 40), with: writer)
                written = min(total, written + 40)
            }
            switch Int.random(in: 0..<60, using: &random) {
            case 0 where members.count < 3:
                members.append(try Member(fixture, group: group))
            case 1 where members.count > 1:
                let member = members.remove(at: Int.random(in: 0..<members.count, using: &random))
                #expect(member.consumer.close())
                gone.append(member)
            case 2..<8: for member in members { member.commit() }
            default: break
            }
            for member in members { try member.step(max: Int.random(in: 1...300, using: &random)) }
            if written == total { for member in members { member.commit() } }
        }
        writer.close()
        for member in members { #expect(member.consumer.close()) }
        let all = members + gone
        #expect(all.flatMap(\.problems) == [])
        for partition in 0..<6 {
            let offsets = all.flatMap { $0.counted[partition] ?? [] }
            #expect(offsets.sorted() == (0..<Int64(total / 6)).map { $0 }, "partition \(partition)")
            for member in all {
                let own = member.counted[partition] ?? []
                #expect(own == own.sorted(), "partition \(partition) out of order")
            }
        }
        print("rebalances: \(all.reduce(0) { $0 + $1.handler.log.count }) changes of assignment, \(all.count) members")
        #expect(all.count > 1)
    }

    @Test("A static member that restarts gets its partitions back, and the other one keeps its own")
    func staticMembership() throws {
        guard let fixture = try ConsumerFixture(partitions: 4) else { return }
        let group = TestBroker.unique("group")
        let stayer = try Member(fixture, group: group, instance: "a")
        var restarter = try Member(fixture, group: group, instance: "b")
        let settled = { stayer.handler.assignedNow.count == 2 && restarter.handler.assignedNow.count == 2 }
        let deadline = Date() + 60
        while !settled() && Date() < deadline {
            try stayer.step(max: 10)
            try restarter.step(max: 10)
        }
        let before = restarter.handler.assignedNow
        let kept = stayer.handler.log
        #expect(restarter.consumer.close())
        restarter = try Member(fixture, group: group, instance: "b")
        while restarter.handler.assignedNow.isEmpty && Date() < deadline {
            try stayer.step(max: 10)
            try restarter.step(max: 10)
        }
        #expect(restarter.handler.assignedNow == before)
        #expect(stayer.handler.log == kept)
        #expect(stayer.consumer.close())
        #expect(restarter.consumer.close())
    }

    @Test("Partitions can be paused while they are assigned, and start where the handler says")
    func pausedFromTheStart() throws {
        guard let fixture = try ConsumerFixture(partitions: 2) else { return }
        try fixture.fill(0..<200)
        let consumer = try fixture.consumer(group: TestBroker.unique("group"))
        let handler = RecordingHandler()
        consumer.handler = handler
        handler.starts = [fixture.partition(0): .offset(40), fixture.partition(1): .offset(90)]
        handler.onAssigned = { partitions in
            do { try consumer.pause(partitions) } catch { Issue.record("\(error)") }
        }
        try consumer.subscribe()
        var offsets: [[Int64]] = [[], []]
        func take(_ batch: borrowing MessageBatch) {
            for i in 0..<batch.count { offsets[Int(batch[i].partition)].append(batch[i].offset) }
        }
        try poll(consumer, until: { !handler.assignedNow.isEmpty }, take)
        for _ in 0..<10 { take(try consumer.poll(max: 100, timeoutMilliseconds: 20)) }
        #expect(offsets == [[], []])
        try consumer.resume([fixture.partition(1)])
        try poll(consumer, until: { offsets[1].count == 10 }, take)
        #expect(offsets == [[], Array(90..<100)])
        try consumer.resume([fixture.partition(0), fixture.partition(1)])
        try poll(consumer, until: { offsets[0].count == 60 }, take)
        #expect(offsets == [Array(40..<100), Array(90..<100)])
        for (partition, end) in [(0, 100), (1, 100)] as [(Int32, Int64)] {
            #expect(consumer.lag(of: fixture.partition(partition), at: end) == 0)
        }
        #expect(consumer.close())
    }
}
