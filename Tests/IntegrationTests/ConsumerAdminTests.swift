import Base
import Consumer
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

@Suite("Admin requests on a real broker", .serialized)
struct ConsumerAdminTests {
    @Test("Topics are created as planned, left alone when they exist, and deleted")
    func topics() throws {
        guard let broker = TestBroker.start() else { return }
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        let name = TestBroker.unique("plan")
        let plans = [
            TopicPlan.events("\(name)-e", partitions: 3), .scores("\(name)-s", partitions: 2),
            .deadLetter("\(name)-d", partitions: 1), .changelog("\(name)-c", partitions: 3),
        ]
        #expect(try admin.create(plans).values.allSatisfy { $0 == .created })
        #expect(try admin.create([TopicPlan("\(name)-e", partitions: 9)]) == ["\(name)-e": .existed])
        for plan in plans {
            #expect(try admin.describe(plan.name)?.partitions == plan.partitions)
            let settings = try admin.settings(of: plan.name)
            for (key, value) in plan.settings { #expect(settings[key] == value, "\(plan.name) \(key)") }
        }
        #expect(try admin.settings(of: "\(name)-c")["cleanup.policy"] == "compact")
        let none = #expect(throws: ImpactError.self) { try admin.settings(of: "\(name)-none") }
        #expect(none?.message.contains("\(name)-none") == true)
        try admin.delete(topics: plans.map(\.name) + ["\(name)-none"])
        // The broker deletes in the background.
        let deadline = Date() + 20
        while try admin.describe("\(name)-e") != nil && Date() < deadline { usleep(50_000) }
        #expect(try admin.describe("\(name)-e") == nil)
        let bad = #expect(throws: ImpactError.self) {
            try admin.create([TopicPlan(name, partitions: 1, settings: ["no.such.setting": "1"])])
        }
        #expect(bad?.message.contains(name) == true)
    }

    @Test("Offsets at a time, and the last stable offset before an open transaction")
    func offsets() throws {
        guard let fixture = try ConsumerFixture(partitions: 2) else { return }
        try fixture.fill(0..<20)
        let admin = try Admin(properties: fixture.properties)
        let partitions = [fixture.partition(0), fixture.partition(1)]
        #expect(
            try admin.offsets(atOrAfter: 1_700_000_000_010, of: partitions)
                == [partitions[0]: 5, partitions[1]: 5])
        #expect(
            try admin.offsets(atOrAfter: 1_700_000_000_011, of: partitions)
                == [partitions[0]: 6, partitions[1]: 5])
        #expect(
            try admin.offsets(atOrAfter: 1_800_000_000_000, of: partitions)
                == [partitions[0]: 10, partitions[1]: 10])
        let producer = try fixture.producer(TestBroker.unique("tx"))
        producer.start()
        producer.begin()
        try fixture.write(0..<4, with: producer)
        try producer.flush()
        #expect(try admin.watermarks(of: partitions[0]) == Watermarks(low: 0, high: 12))
        let committed = try Admin(properties: fixture.properties, readCommitted: true)
        #expect(try committed.watermarks(of: partitions[0]) == Watermarks(low: 0, high: 10))
        producer.abort()
        producer.close()
    }

    @Test("A group's offsets are read, set and deleted, and a group with members is left alone")
    func groups() throws {
        guard let fixture = try ConsumerFixture(partitions: 2) else { return }
        try fixture.fill(0..<20)
        let group = TestBroker.unique("group")
        let admin = try Admin(properties: fixture.properties)
        #expect(try admin.committedOffsets(ofGroup: group) == [:])
        let consumer = try fixture.consumer(group: group)
        try consumer.subscribe()
        try poll(consumer, until: { consumer.assignment.owned.count == 2 })
        try consumer.commit([fixture.partition(0): 3, fixture.partition(1): 7])
        #expect(
            try admin.committedOffsets(ofGroup: group) == [fixture.partition(0): 3, fixture.partition(1): 7])
        let busy = #expect(throws: ImpactError.self) {
            try admin.alterOffsets(ofGroup: group, to: [fixture.partition(0): 0])
        }
        #expect(busy?.message.contains("stop every worker") == true)
        let alive = #expect(throws: ImpactError.self) { try admin.delete(group: group) }
        #expect(alive?.message.contains("stop every worker") == true)
        #expect(consumer.close())
        try admin.alterOffsets(ofGroup: group, to: [fixture.partition(0): 1])
        #expect(
            try admin.committedOffsets(ofGroup: group, partitions: [fixture.partition(0)])
                == [fixture.partition(0): 1])
        try admin.delete(group: group)
        #expect(try admin.committedOffsets(ofGroup: group) == [:])
        try admin.delete(group: group)
    }

    @Test("A broker that freezes for a while stops nothing for good")
    func frozenBroker() throws {
        guard let fixture = try ConsumerFixture() else { return }
        guard fixture.broker.isOurs else {
            print("skipped: \(#function) needs a broker of its own to freeze")
            return
        }
        try fixture.fill(0..<100)
        let group = TestBroker.unique("group")
        let consumer = try fixture.consumer(group: group)
        try consumer.subscribe()
        var read = 0
        try poll(consumer, max: 10, until: { read >= 50 }) { read += $0.count }
        #expect(fixture.broker.node("pause"))
        Thread.detachNewThread { [broker = fixture.broker] in
            sleep(4)
            broker.node("resume")
        }
        let producer = try fixture.producer(TestBroker.unique("tx"))
        #expect(producer.start() == .ready)
        producer.begin()
        try fixture.write(100..<200, with: producer)
        #expect(producer.commit(offsets: [:], group: try consumer.groupMetadata()) == .committed)
        try poll(consumer, until: { read >= 200 }) { read += $0.count }
        #expect(read == 200)
        producer.close()
        #expect(consumer.close())
    }
}
