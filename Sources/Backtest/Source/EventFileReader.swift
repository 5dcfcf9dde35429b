import Base
import Events
import JSON

/// The events of a file one by one, with the user's id of each: for writing them to a topic.
package final class EventFileReader {
    private let lines: LineReader
    private let batch: EventBatch
    /// Lines passed over as invalid, by the dead letter's code.
    package private(set) var rejected: [String: Int] = [:]
    package private(set) var firstRejection: String?
    /// Lines read so far, those passed over among them.
    package private(set) var number = 0
    /// Milliseconds since 1970: an event far ahead of it is invalid here, as it will be in the topic.
    private let present: Int64

    /// - Parameters:
    ///   - path: plain, .gz or .zst; `-` is standard input.
    ///   - present: the clock; −1 checks no time against it.
    ///   - isStopped: asked while standard input gives nothing.
    package init(
        path: String, limits: EventLimits, present: Int64 = -1, isStopped: @escaping () -> Bool = { false }
    ) throws(ImpactError) {
        lines = try LineReader(path: path, isStopped: isStopped)
        self.present = present
        var limits = limits
        limits.requiresKey = false
        batch = EventBatch(schema: EventSchema(), limits: limits, capacity: 1)
    }

    /// Passes over the first lines.
    package func skip(_ count: Int) throws(ImpactError) {
        while number < count, try lines.next() != nil { number += 1 }
    }

    /// Lends the next valid event: the user's id, the event's bytes and its time. False at the end.
    package func next(
        _ body: (_ user: UnsafeRawBufferPointer, _ event: UnsafeRawBufferPointer, _ time: Int64) throws -> Void
    ) throws -> Bool {
        while let line = try lines.next() {
            number += 1
            if line.isEmpty { continue }
            batch.removeAll()
            do throws(InputError) {
                try batch.append(line, key: nil, source: SourcePosition(timestamp: present))
            } catch {
                rejected[error.code.name, default: 0] += 1
                firstRejection = firstRejection ?? "line \(number): \(error.message(schema: batch.schema))"
                continue
            }
            try body(batch.user(0), line, batch[0].time)
            return true
        }
        return false
    }
}
