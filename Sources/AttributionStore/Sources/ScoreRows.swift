import Attribution
import Base

/// Uplift scores by user: the table `scores` of the log store, or a CSV with `user_id`, `time`, `uplift`, `std_error`.
///
/// A score belongs to the user's latest session that began at or before it, no more than half an hour earlier. A session's
/// effect is that of its first score: what showing the ad then was expected to change.
final class ScoreRows {
    private static let longest: Int64 = 30 * 60_000
    /// A score that belongs to no session of its user, and the event that it was made of.
    struct Stray {
        var user: String
        var partition: Int32
        var offset: Int64
    }

    private let cursor: any SQLCursor
    private let findsStrays: Bool
    private(set) var strays: [Stray] = []
    private var user: String?
    private(set) var isAtEnd = false

    /// - Parameter findsStrays: whether ``strays`` is filled; the table must say the scores' sources.
    init(
        _ database: any SQLDatabase, _ scope: JourneyScope = .all, findsStrays: Bool = false
    ) throws(ImpactError) {
        self.findsStrays = findsStrays
        let known = try database.columns(of: "scores")
        for column in ["user_id", "time", "uplift"] where !known.contains(column) {
            throw ImpactError(
                .badInput, code: "table_missing",
                "\(database.place) has no scores.\(column): scores need user_id, time, uplift and std_error, as the log store "
                    + "writes them")
        }
        cursor = try database.query(
            """
            SELECT CAST(user_id AS TEXT), CAST(time AS TEXT), uplift, \
            \(known.contains("std_error") ? "std_error" : "NULL")\(findsStrays ? ", source_partition, source_offset" : "") \
            FROM scores\(try scope.condition("user_id", database).sql) ORDER BY \(database.byBytes("user_id"))
            """, [])
        var none = ReadingCounts()
        try advance(&none)
    }

    func attach(
        to touches: inout [Touch], of user: String, clock: inout LocalClock, counts: inout ReadingCounts
    ) throws(ImpactError) {
        while let next = self.user, next.utf8.lexicographicallyPrecedes(user.utf8) {
            stray(&counts)
            try advance(&counts)
        }
        guard self.user == user else { return }
        var scores: [(time: Int64, uplift: Double, error: Double, source: Stray?)] = []
        while let next = self.user, next.utf8.elementsEqual(user.utf8) {
            let text = cursor.text(1) ?? ""
            if let time = Int64(text) ?? clock.read(date: nil, time: text)?.time, let uplift = cursor.double(2),
                uplift.isFinite
            {
                scores.append((time, uplift, cursor.double(3) ?? .nan, source))
            } else {
                counts.unreadableScores += 1
            }
            try advance(&counts)
        }
        scores.sort { ($0.time, $0.uplift) < ($1.time, $1.uplift) }
        touches.sort { ($0.time, $0.session) < ($1.time, $1.session) }
        for score in scores {
            guard let index = touches.lastIndex(where: { $0.time <= score.time }),
                score.time - touches[index].time <= Self.longest
            else {
                counts.scoresWithoutSession += 1
                if let source = score.source { strays.append(source) }
                continue
            }
            guard touches[index].uplift.isNaN else { continue }
            touches[index].uplift = Float(score.uplift)
            touches[index].upliftError = Float(score.error)
        }
    }

    /// Reads on to the end: what is left belongs to users without a session.
    func passRest(_ counts: inout ReadingCounts) throws(ImpactError) {
        while user != nil {
            stray(&counts)
            try advance(&counts)
        }
    }

    /// The score at hand's source.
    private var source: Stray? {
        guard findsStrays, let user, let partition = cursor.text(4).flatMap({ Int32($0) }),
            let offset = cursor.text(5).flatMap({ Int64($0) })
        else { return nil }
        return Stray(user: user, partition: partition, offset: offset)
    }

    private func stray(_ counts: inout ReadingCounts) {
        counts.scoresWithoutSession += 1
        if let source { strays.append(source) }
    }

    private func advance(_ counts: inout ReadingCounts) throws(ImpactError) {
        guard !isAtEnd else { return user = nil }
        guard try cursor.next() else {
            isAtEnd = true
            return user = nil
        }
        user = cursor.text(0) ?? ""
    }
}
