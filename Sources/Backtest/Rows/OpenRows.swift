import Base
import Events

/// The rows of a partition whose windows may still get outcomes, in the order of their assignments.
///
/// Bounded by what is assigned within window + lateness of event time: a row takes about 120 bytes, the user's id, and 4
/// bytes per feature. A row is numbered when it opens; rows leave in that order.
struct OpenRows {
    struct Row {
        var partition: Int32
        var offset: Int64
        /// Of its event among all that were read.
        var number: Int
        var time: Int64
        var userHash: UInt64
        var user: [UInt8]
        var arm: UInt64
        var experiment: UInt64
        var propensity: Double
        var uplift: Double
        var standardError: Double
        var effects: [Double] = []
        /// The user's row before this one; may have left already.
        var previous: Int
    }

    private let featureCount: Int
    private let outcomeCount: Int
    private var rows: [Row] = []
    private var features: [Float] = []
    private var outcomes: [Double] = []
    /// Number of the row at index 0, and of the first that is still open.
    private var base = 0
    private(set) var first = 0
    /// By the hash of the user's id, the number of the user's last row. Two users of one hash share a chain.
    private var last: [UInt64: Int] = [:]

    init(featureCount: Int, outcomeCount: Int) {
        self.featureCount = featureCount
        self.outcomeCount = outcomeCount
    }

    var count: Int { base + rows.count - first }
    var isEmpty: Bool { count == 0 }

    subscript(number: Int) -> Row { rows[number - base] }

    func features(_ number: Int) -> ArraySlice<Float> {
        let start = (number - base) * featureCount
        return features[start..<start + featureCount]
    }

    func outcomes(_ number: Int) -> ArraySlice<Double> {
        let start = (number - base) * outcomeCount
        return outcomes[start..<start + outcomeCount]
    }

    mutating func add(_ value: Double, to outcome: Int, of number: Int) {
        outcomes[(number - base) * outcomeCount + outcome] += value
    }

    mutating func set(_ value: Double, outcome: Int, of number: Int) {
        outcomes[(number - base) * outcomeCount + outcome] = value
    }

    mutating func open(_ row: Row, features: UnsafeBufferPointer<Float>) {
        var row = row
        let number = base + rows.count
        row.previous = last.updateValue(number, forKey: row.userHash) ?? -1
        rows.append(row)
        self.features.append(contentsOf: features)
        for _ in 0..<outcomeCount { outcomes.append(0) }
    }

    /// Calls `body` with each open row of the user, the latest first.
    func forEach(of userHash: UInt64, _ user: UnsafeRawBufferPointer, _ body: (Int, Row) -> Void) {
        var number = last[userHash] ?? -1
        while number >= first {
            let row = rows[number - base]
            if row.user.elementsEqual(user) { body(number, row) }
            number = row.previous
        }
    }

    /// Takes the first row away.
    mutating func removeFirst() {
        let hash = rows[first - base].userHash
        if last[hash] == first { last[hash] = nil }
        rows[first - base].user = []
        first += 1
        // Halves move at most once a row: constant cost on average.
        let gone = first - base
        guard gone > 1_024, gone > rows.count / 2 else { return }
        rows.removeFirst(gone)
        features.removeFirst(gone * featureCount)
        outcomes.removeFirst(gone * outcomeCount)
        base = first
    }
}
