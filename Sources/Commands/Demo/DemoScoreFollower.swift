import Base
import Consumer
import Events
import Foundation
import Kafka
import Pipeline
import Synchronization

/// A downstream reader in the demo: a thread that reads the output topic and fills the scoreboard.
final class DemoScoreFollower: Sendable {
    private let board: Mutex<DemoScoreboard>
    private let isStopping = Atomic<Bool>(false)
    private let failure = Mutex<(any Error)?>(nil)
    private let done = DispatchGroup()
    /// Milliseconds from an event's record to its score in a reader's hands.
    let latency = Distribution(smallest: 1.0 / 16)

    init(board: DemoScoreboard) { self.board = Mutex(board) }

    var snapshot: DemoScoreboard { board.withLock { $0 } }
    var error: (any Error)? { failure.withLock { $0 } }

    func start(bootstrap: String, topic: String, partitions: Int) {
        done.enter()
        Thread { [self] in
            do { try follow(bootstrap, topic, partitions) } catch { failure.withLock { $0 = error } }
            done.leave()
        }.start()
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        _ = done.wait(timeout: .now() + 5)
    }

    private func follow(_ bootstrap: String, _ topic: String, _ partitions: Int) throws {
        var options = ConsumerOptions()
        options.clientID = "demo-reader"
        options.isolation = .readUncommitted
        options.fetchWaitMilliseconds = 10
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": bootstrap], topics: [topic], options: options, component: "demo-reader")
        defer { consumer.close() }
        var starts: [TopicPartition: StartOffset] = [:]
        for partition in 0..<partitions { starts[TopicPartition(topic, Int32(partition))] = .beginning }
        try consumer.assign(starts)
        let reader = ScoreReader()
        while !isStopping.load(ordering: .relaxed) {
            let batch = try consumer.poll(max: 2048, timeoutMilliseconds: 50)
            let now = Date().timeIntervalSince1970 * 1000
            for i in 0..<batch.count {
                latency.record(now - Double(batch[i].timestamp))
                let score = try reader.read(batch[i].payloadBuffer)
                let decision = reader.bytes(score.decision)
                board.withLock {
                    $0.add(
                        user: reader.bytes(score.user), effect: score.uplift, standardError: score.standardError,
                        lower: score.lower, upper: score.upper, isTreat: decision.elementsEqual("treat".utf8),
                        isSuppress: decision.elementsEqual("suppress".utf8))
                }
            }
        }
    }
}
