import Base
import Events
import JSON

/// Where a replay begins or ends, as a person says it.
package enum ReplayPoint: Sendable, Equatable {
    /// The first record that the log still holds.
    case beginning
    /// Behind the last committed record, captured when the replay starts.
    case end
    /// The first record whose timestamp is at or after this, milliseconds since 1970.
    case time(Int64)
    /// An offset for each partition named; the others are left out of the replay.
    case offsets([Int32: Int64])

    /// Reads `beginning`, `end`, a time (``WrittenTime``), milliseconds since 1970, or `PARTITION:OFFSET,…`.
    ///
    /// - Throws: `.usage` saying what is expected.
    package init(_ text: String) throws(ImpactError) {
        switch text {
        case "beginning": self = .beginning
        case "end": self = .end
        default:
            if text.contains(":"), !text.contains("T"), !text.contains("t"), !text.contains(" ") {
                self = .offsets(try Self.offsets(text))
            } else if let milliseconds = Int64(text) {
                guard EventLimits.timeRange.contains(milliseconds) else { throw Self.wrong(text) }
                self = .time(milliseconds)
            } else {
                guard let time = WrittenTime.milliseconds(text) else { throw Self.wrong(text) }
                self = .time(time)
            }
        }
    }

    private static func offsets(_ text: String) throws(ImpactError) -> [Int32: Int64] {
        var offsets: [Int32: Int64] = [:]
        for pair in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = pair.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let partition = Int32(parts[0]), partition >= 0, let offset = Int64(parts[1]),
                offset >= 0, offsets.updateValue(offset, forKey: partition) == nil
            else { throw wrong(text) }
        }
        return offsets
    }

    private static func wrong(_ text: String) -> ImpactError {
        ImpactError(
            .usage, code: "invalid_point",
            "'\(text)' is not a place in a topic: expected beginning, end, a time (2026-11-21, 2026-11-21T10:00:00Z or "
                + "milliseconds since 1970), or offsets as 0:1200,1:950")
    }
}
