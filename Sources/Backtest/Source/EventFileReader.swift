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
    private var number = 0

    /// - Parameter path: plain, .gz or .zst.
    package init(path: String, limits: EventLimits) throws(ImpactError) {
        lines = try LineReader(path: path)
        var limits = limits
        limits.requiresKey = false
        batch = EventBatch(schema: EventSchema(), limits: limits, capacity: 1)
    }

    /// Lends the next valid event: the user's id, the event's bytes and its time. False at the end.
    package func next(
        _ body: (_ user: UnsafeRawBufferPointer, _ event: UnsafeRawBufferPointer, _ time: Int64) throws -> Void
    ) throws -> Bool {
        while let line = try lines.next() {
            number += 1
            if line.isEmpty { continue }
            batch.removeAll()
            do throws(InputError) { try batch.append(line, key: nil, source: SourcePosition()) } catch {
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
