/// Where a reader begins in one partition of the output topic, from what the database and the broker hold.
package enum StartPlan: Equatable {
    /// At this offset: the stored position, or the log's first record.
    case read(from: Int64)
    /// Records between the stored position and the log's first were deleted before they were read.
    case skip(from: Int64, to: Int64)
    /// The stored position lies behind the log's end: it is not the topic that was read before.
    case recreated(position: Int64, end: Int64)

    package init(stored: Int64?, low: Int64, high: Int64) {
        guard let stored else {
            self = .read(from: low)
            return
        }
        if stored > high {
            self = .recreated(position: stored, end: high)
        } else if stored < low {
            self = .skip(from: stored, to: low)
        } else {
            self = .read(from: stored)
        }
    }
}
