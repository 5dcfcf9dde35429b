import CRdkafka
import Kafka

extension EventConsumer {
    /// Longest wait for a record, when there should be some, before librdkafka is woken, milliseconds.
    private static let patience: Int32 = 2

    /// Waits for one record, then takes what came with it: a call that asks for more waits until its array is full or time is
    /// up. Returns the count.
    func awaitRecords(_ storage: BatchStorage, max: Int, timeoutMilliseconds: Int32) -> Int {
        guard mayRest, timeoutMilliseconds > Self.patience else {
            return take(storage, max: max, waiting: timeoutMilliseconds)
        }
        mayRest = false
        let deadline = ContinuousClock.now + .milliseconds(Int(timeoutMilliseconds))
        let count = take(storage, max: max, waiting: Self.patience)
        if count > 0 { return count }
        wake(timeoutMilliseconds: timeoutMilliseconds - Self.patience)
        let left = (deadline - .now) / .milliseconds(1)
        return take(storage, max: max, waiting: Int32(Swift.max(0, left)))
    }

    private func take(_ storage: BatchStorage, max: Int, waiting milliseconds: Int32) -> Int {
        let first = rd_kafka_consume_batch_queue(recordQueue, milliseconds, storage.messages, 1)
        guard first == 1, max > 1 else { return first }
        return 1 + Swift.max(0, rd_kafka_consume_batch_queue(recordQueue, 0, storage.messages + 1, max - 1))
    }

    /// Makes librdkafka fetch now, when partitions have given nothing although there is more in them.
    ///
    /// A queue that was full stops the fetches, and 2.0.2 looks only once a second whether there is room again: a reader that
    /// drains it faster stands still for the rest of that second. Any request wakes the thread that looks; this one asks for
    /// the partitions' ends, of all brokers at once.
    private func wake(timeoutMilliseconds: Int32) {
        let running = assignment.owned.subtracting(assignment.paused).sorted()
        let positions = positions(running)
        let behind = running.filter { (lag(of: $0, at: positions[$0]) ?? 0) > 0 }
        if behind.isEmpty { return }
        wakes += 1
        let list = TopicPartitionList(capacity: behind.count)
        for partition in behind { list.append(partition, offset: StartOffset.end.rawOffset) }
        // The answer is of no interest, nor is an error: the next poll tells.
        rd_kafka_offsets_for_times(handle.pointer, list.pointer, timeoutMilliseconds)
    }
}
