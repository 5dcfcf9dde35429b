import Base
import Foundation
import Kafka
import Simulation
import Sinks
import Synchronization

/// The demo's event source: a thread that writes the simulated trial to the input topic.
///
/// It holds back when the pipeline falls behind, since the embedded broker keeps no more than 5 MiB per partition and
/// drops the rest without a word.
final class DemoFeeder: Sendable {
    private let written = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private let failure = Mutex<(any Error)?>(nil)
    private let done = DispatchGroup()
    /// Messages that need no room in the broker any more.
    private let consumed: @Sendable () -> Int
    private let rate: Double
    /// Most messages in flight.
    private let bound: Int

    /// - Parameters:
    ///   - rate: messages per second; 0 is as fast as the pipeline goes.
    ///   - bound: most messages written and not consumed.
    init(rate: Double, bound: Int, consumed: @escaping @Sendable () -> Int) {
        self.rate = rate
        self.bound = bound
        self.consumed = consumed
    }

    /// Messages handed to the producer.
    var count: Int { written.load(ordering: .relaxed) }
    var error: (any Error)? { failure.withLock { $0 } }

    func start(bootstrap: String, topic: String, settings: TrialSettings) {
        done.enter()
        Thread { [self] in
            do { try feed(bootstrap, topic, settings) } catch { failure.withLock { $0 = error } }
            done.leave()
        }.start()
    }

    /// Writes no more and waits until what was written has arrived.
    func stop() {
        isStopping.store(true, ordering: .relaxed)
        _ = done.wait(timeout: .now() + 5)
    }

    private func feed(_ bootstrap: String, _ topic: String, _ settings: TrialSettings) throws {
        var options = ProducerOptions()
        options.clientID = "demo-trial"
        options.lingerMilliseconds = 2
        let producer = try OutputProducer(
            properties: ["bootstrap.servers": bootstrap], options: options, component: "demo-trial")
        defer { producer.close() }
        let writer = try TrialTopicWriter(producer: producer, topic: topic, settings: settings)
        // The consumer group of the embedded broker takes 3 s to form; a first message says when it has.
        try writer.write(1)
        try producer.flush()
        written.store(1, ordering: .relaxed)
        while consumed() == 0 {
            if isStopping.load(ordering: .relaxed) { return }
            usleep(20_000)
        }
        let start = ContinuousClock.now
        var paced = 0
        while !isStopping.load(ordering: .relaxed) {
            let inFlight = count - consumed()
            let elapsed = (ContinuousClock.now - start) / .seconds(1)
            let due = rate > 0 ? min(Int(saturating: elapsed * rate) - paced, 4096) : 4096
            let room = min(due, bound - inFlight)
            guard room > 0 else {
                // Time lost to a full pipeline is not made up for by a burst.
                if inFlight >= bound, rate > 0 { paced = max(paced, Int(saturating: elapsed * rate)) }
                usleep(1_000)
                continue
            }
            try writer.write(room)
            paced += room
            written.wrappingAdd(room, ordering: .relaxed)
            // Small steps at a modest rate: latency is shown, not the size of a burst.
            if rate > 0 { usleep(2_000) }
        }
        try producer.flush()
    }
}
