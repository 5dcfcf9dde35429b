/// What the making of rows met, of one partition or of all.
public struct RowsCounters: Sendable, Equatable {
    public var stream = StreamCounts()
    public var rows = 0
    /// Rows whose window is not over at the end of the data.
    public var censored = 0
    /// Assignments left out since the user's state already held later events: no row before them can be had.
    public var outOfOrder = 0
    /// Assignments left out since no score belongs to them.
    public var withoutScore = 0
    /// Rows left out since their user was erased while their windows were open.
    public var erased = 0
    /// Rows by arm.
    public var arms: [String: Int] = [:]
    /// Sum of each outcome over all rows, by the outcome's place.
    public var totals: [Double] = []
    /// Outcome events that count in at least one row.
    public var outcomesUsed = 0
    /// Those of a user with an open row that lie before its assignment in time.
    public var outcomesBefore = 0
    /// Those that came when every window they might belong to was closed for good.
    public var outcomesLate = 0
    /// Those of users without a row open at their time.
    public var outcomesUnattributed = 0
    /// Those without a `value` although one is summed.
    public var outcomesWithoutValue = 0
    /// The most rows open at once in a partition.
    public var mostOpen = 0
    /// Models of the joined scores.
    public var models: Set<String> = []

    public init() {}

    public mutating func add(_ other: RowsCounters) {
        stream.add(other.stream)
        rows += other.rows
        censored += other.censored
        outOfOrder += other.outOfOrder
        withoutScore += other.withoutScore
        erased += other.erased
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
        models.formUnion(other.models)
    }
}
