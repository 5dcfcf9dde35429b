import CRdkafka
import Consumer
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

@Suite("Reading from a real broker", .serialized)
struct ConsumerReadTests {
    @Test("Through any order of pauses, resumes and seeks, delivery goes on exactly where it should")
    func pauseResumeSeek() throws {
        guard let fixture = try ConsumerFixture(partitions: 3) else { return }
        var random = SeededGenerator.announced()
        let count = 3000
        try fixture.fill(0..<3 * count)
        for byGroup in [false, true] {
            let consumer = try fixture.consumer(group: byGroup ? TestBroker.unique("group") : nil)
            let partitions = (0..<3).map { fixture.partition($0) }
            if byGroup {
                try consumer.subscribe()
                try poll(consumer, until: { consumer.assignment.owned.count == 3 })
                try consumer.seek(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .offset(0)) }))
            } else {
                try consumer.assign(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .beginning) }))
            }
            var expected = Dictionary(uniqueKeysWithValues: partitions.map { ($0, Int64(0)) })
            var paused: Set<TopicPartition> = []
            var wrong = 0
            var delivered = 0
            func take(_ batch: borrowing MessageBatch) {
                for i in 0..<batch.count {
                    let place = fixture.partition(batch[i].partition)
                    if batch[i].offset != expected[place] || paused.contains(place) { wrong += 1 }
                    expected[place] = batch[i].offset + 1
                    delivered += 1
                }
            }
            for _ in 0..<400 {
                let some = partitions.filter { _ in Bool.random(using: &random) }
                switch Int.random(in: 0..<6, using: &random) {
                case 0:
                    try consumer.pause(some)
                    paused.formUnion(some)
                case 1:
                    // Also of those that run: must change nothing.
                    try consumer.resume(some)
                    paused.subtract(some)
                case 2:
                    var places: [TopicPartition: StartOffset] = [:]
                    for partition in some {
                        let offset = Int64.random(in: 0..<Int64(count), using: &random)
                        places[partition] = .offset(offset)
                        expected[partition] = offset
                    }
                    try consumer.seek(places)
                default:
                    take(try consumer.poll(max: Int.random(in: 1...300, using: &random), timeoutMilliseconds: 5))
                }
            }
            try consumer.resume(partitions)
            paused = []
            try poll(consumer, until: { expected.values.allSatisfy { $0 == Int64(count) } }, take)
            #expect(wrong == 0)
            #expect(expected.values.allSatisfy { $0 == Int64(count) })
            #expect(delivered > count)
            #expect(consumer.close())
        }
    }

    @Test("Assigned again and again by hand, each reader starts where it is told and gets nothing of before")
    func reassign() throws {
        guard let fixture = try ConsumerFixture(partitions: 2) else { return }
        var random = SeededGenerator.announced()
        try fixture.fill(0..<2000)
        let consumer = try fixture.consumer()
        for _ in 0..<30 {
            let starts = [Int64.random(in: 0..<1000, using: &random), Int64.random(in: 0..<1000, using: &random)]
            try consumer.assign([fixture.partition(0): .offset(starts[0]), fixture.partition(1): .offset(starts[1])])
            var next = starts
            var wrong = 0
            let enough = Int.random(in: 0...1000, using: &random)
            try poll(consumer, until: { next[0] + next[1] >= min(2000, starts[0] + starts[1] + Int64(enough)) }) {
                for i in 0..<$0.count {
                    let p = Int($0[i].partition)
                    if $0[i].offset != next[p] { wrong += 1 }
                    next[p] = $0[i].offset + 1
                }
            }
            #expect(wrong == 0)
            #expect(next[0] + next[1] >= min(2000, starts[0] + starts[1] + Int64(enough)))
        }
        #expect(consumer.close())
    }

    @Test("The end of each partition is told, behind the last record")
    func partitionEnd() throws {
        guard let fixture = try ConsumerFixture(partitions: 2) else { return }
        try fixture.fill(0..<10)
        let consumer = try fixture.consumer { $0.reportsPartitionEnd = true }
        let handler = RecordingHandler()
        consumer.handler = handler
        try consumer.assign([fixture.partition(0): .beginning, fixture.partition(1): .offset(4)])
        var read = 0
        try poll(consumer, until: { handler.ends.count == 2 }) { read += $0.count }
        #expect(handler.ends == [fixture.partition(0): 5, fixture.partition(1): 5])
        #expect(read == 6)
        #expect(consumer.close())
    }

    @Test("An unknown topic and an offset that is gone are errors with their place, and the consumer lives on")
    func errors() throws {
        guard let fixture = try ConsumerFixture() else { return }
        try fixture.fill(0..<5)
        let missing = TestBroker.unique("missing")
        let lost = try EventConsumer(
            properties: fixture.properties, topics: [missing], options: ConsumerOptions(group: TestBroker.unique("g")))
        try lost.subscribe()
        let unknown = #expect(throws: KafkaError.self) { try poll(lost, until: { false }) }
        #expect(unknown?.code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        #expect(unknown?.isRetriable == true)
        #expect(unknown?.message.contains(missing) == true)
        #expect(lost.close())

        let strict = try fixture.consumer { $0.reset = .error }
        try strict.assign([fixture.partition(0): .offset(1_000)])
        let gone = #expect(throws: KafkaError.self) { try poll(strict, until: { false }) }
        #expect(gone?.message.contains("\(fixture.partition(0))") == true)
        #expect(gone?.isRetriable == false)
        try strict.assign([fixture.partition(0): .beginning])
        var read = 0
        try poll(strict, until: { read == 5 }) { read += $0.count }
        #expect(read == 5)
        #expect(strict.close())
    }

    @Test("A batch that outlives its consumer hangs nothing")
    func batchOutlives() throws {
        guard let fixture = try ConsumerFixture() else { return }
        try fixture.fill(0..<100)
        let consumer = try fixture.consumer()
        try consumer.assign([fixture.partition(0): .beginning])
        let batch = try consumer.poll(max: 60, timeoutMilliseconds: 5_000)
        let count = batch.count
        try #require(count > 0)
        let first = batch[0].payloadBuffer.map { Array($0) }
        // Another poll while the first batch lives must not touch it.
        let second = try consumer.poll(max: 100, timeoutMilliseconds: 100)
        let follows = second.isEmpty || second[0].offset == batch[count - 1].offset + 1
        #expect(follows)
        consumer.close(timeoutMilliseconds: 1_000)
        let after = batch[0].payloadBuffer.map { Array($0) }
        #expect(after == first)
        _ = consume second
    }
}
