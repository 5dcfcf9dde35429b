/// What the making of rows met, of one partition or of all.
package struct RowsCounters: Sendable, Equatable {
    package var stream = StreamCounts()
    package var rows = 0
    /// Rows whose window is not over at the end of the data.
    package var censored = 0
    /// Assignments left out since the user's state already held later events: no row before them can be had.
    package var outOfOrder = 0
    /// Assignments left out since no score belongs to them.
    package var withoutScore = 0
    /// Rows left out since their user was erased while their windows were open, or refused that anything is stored.
    package var erased = 0
    /// Events of users who refuse that anything is stored.
    package var refused = 0
    /// Rows by arm.
    package var arms: [String: Int] = [:]
    /// Sum of each outcome over all rows, by the outcome's place.
    package var totals: [Double] = []
    /// Outcome events that count in at least one row.
    package var outcomesUsed = 0
    /// Those of a user with an open row that lie before its assignment in time.
    package var outcomesBefore = 0
    /// Those that came when every window they might belong to was closed for good.
    package var outcomesLate = 0
    /// Those of users without a row open at their time.
    package var outcomesUnattributed = 0
    /// Those without a `value` although one is summed.
    package var outcomesWithoutValue = 0
    /// The most rows open at once in a partition.
    package var mostOpen = 0
    /// By partition (−1 for joined ones), how far a single user was ahead of all others at the end, milliseconds: rows are not closed by one.
    package var leads: [Int32: Int64] = [:]
    /// Models of the joined scores.
    package var models: Set<String> = []

    package init() {}

    package mutating func add(_ other: RowsCounters) {
        stream.add(other.stream)
        rows += other.rows
        censored += other.censored
        outOfOrder += other.outOfOrder
        withoutScore += other.withoutScore
        erased += other.erased
        refused += other.refused
        arms.merge(other.arms, uniquingKeysWith: +)
        if totals.isEmpty {
            totals = other.totals
        } else {
            for i in other.totals.indices { totals[i] += other.totals[i] }
        }
        outcomesUsed += other.outcomesUsed
        outcomesBefore += other.outcomesBefore
        outcomesLate += other.outcomesLate
        outcomesUnattributed += other.outcomesUnattributed
        outcomesWithoutValue += other.outcomesWithoutValue
        mostOpen = max(mostOpen, other.mostOpen)
        leads.merge(other.leads) { max($0, $1) }
        models.formUnion(other.models)
    }
}
