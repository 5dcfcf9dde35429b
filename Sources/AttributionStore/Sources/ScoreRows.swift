import Attribution
import Base

/// Uplift scores by user: the table `scores` of the log store, or a CSV with `user_id`, `time`, `uplift`, `std_error`.
///
/// A score belongs to the user's latest session that began at or before it, no more than half an hour earlier. A session's
/// effect is that of its first score: what showing the ad then was expected to change.
final class ScoreRows {
    static let longest: Int64 = 30 * 60_000
    private let cursor: any SQLCursor
    private var user: String?
    private(set) var isAtEnd = false

    init(_ database: any SQLDatabase) throws(ImpactError) {
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
            \(known.contains("std_error") ? "std_error" : "NULL") FROM scores \
            ORDER BY \(database.byBytes("user_id"))
            """, [])
        var none = ReadingCounts()
        try advance(&none)
    }

    func attach(
        to touches: inout [Touch], of user: String, clock: inout LocalClock, counts: inout ReadingCounts
    ) throws(ImpactError) {
        while let next = self.user, next.utf8.lexicographicallyPrecedes(user.utf8) {
            counts.scoresWithoutSession += 1
            try advance(&counts)
        }
        guard self.user == user else { return }
        var scores: [(time: Int64, uplift: Double, error: Double)] = []
        while let next = self.user, next.utf8.elementsEqual(user.utf8) {
            let text = cursor.text(1) ?? ""
            if let time = Int64(text) ?? clock.read(date: nil, time: text)?.time, let uplift = cursor.double(2),
                uplift.isFinite
            {
                scores.append((time, uplift, cursor.double(3) ?? .nan))
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
                continue
            }
            guard touches[index].uplift.isNaN else { continue }
            touches[index].uplift = Float(score.uplift)
            touches[index].upliftError = Float(score.error)
        }
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
