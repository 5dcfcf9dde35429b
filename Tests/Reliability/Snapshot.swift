import Base
import Foundation
import Kafka

/// What an application has published and keeps: to be compared with that of an undisturbed run over the same input.
package struct Snapshot: Sendable {
    var scores: [[UInt64]]
    var deadLetters: [[UInt64]]
    /// Users and the hash of their record.
    var state: [[UInt8]: UInt64]
    var rows: [UInt64]
    var hasLogStore: Bool

    package var scoreCount: Int { scores.reduce(0) { $0 + $1.count } }
    package var deadLetterCount: Int { deadLetters.reduce(0) { $0 + $1.count } }
    package var userCount: Int { state.count }
    package var rowCount: Int { rows.count }

    /// Reads everything back. Throws when a transaction hangs.
    package init(of application: TestApplication) throws {
        let site = application.stream.site
        scores = try TopicContents(application.output, site: site).partitions
        deadLetters = try TopicContents(
            application.deadLetter, site: site, ignoring: ["impactiq.error.application"]
        ).partitions
        // Which record bears that header depends on where commits fall.
        state = try TopicContents(
            application.changelog, site: site, compacted: true, ignoring: ["impactiq.positions"]
        ).latest
        rows = try LogStoreContents.rows(of: application)
        hasLogStore = application.logStore != .none
        guard hasLogStore else { return }
        // A process that leaves gives the log store some seconds; what it did not take then, the next reader takes.
        for _ in 0..<3 where rows.count < scoreCount {
            let reader = try application.command(["log-store", "--for", "2s"])
            _ = reader.wait(seconds: 120)
            rows = try LogStoreContents.rows(of: application)
        }
    }

    /// What differs from the undisturbed run; empty when all is equal.
    ///
    /// - Parameters:
    ///   - users: users of the undisturbed run who are not expected here.
    ///   - moreDeadLetters: how many dead letters there should be above those of the undisturbed run.
    package func problems(
        against undisturbed: Snapshot, withoutUsers users: [String] = [], moreDeadLetters: Int = 0
    ) -> [String] {
        var reference = undisturbed
        for user in users where reference.state.removeValue(forKey: Array(user.utf8)) == nil {
            return ["state: the undisturbed run does not know \(user)"]
        }
        if moreDeadLetters > 0 {
            let missing = Self.missing(deadLetters, reference.deadLetters)
            if missing > 0 || deadLetterCount != reference.deadLetterCount + moreDeadLetters {
                return [
                    "dead letters: \(deadLetterCount), undisturbed \(reference.deadLetterCount), \(missing) missing"
                ]
            }
            reference.deadLetters = deadLetters
        }
        var problems = Self.compare("scores", scores, reference.scores)
        problems += Self.compare("dead letters", deadLetters, reference.deadLetters)
        let missing = reference.state.keys.filter { state[$0] == nil }.count
        let extra = state.keys.filter { reference.state[$0] == nil }.count
        let other = state.filter { reference.state[$0.key] != nil && reference.state[$0.key] != $0.value }
        if missing + extra + other.count > 0 {
            let example = other.keys.first.map { ", as \(String(decoding: $0, as: UTF8.self))" } ?? ""
            problems.append("state: \(missing) users missing, \(extra) too many, \(other.count) differ\(example)")
        }
        if hasLogStore {
            if rows.count != scoreCount { problems.append("log store: \(rows.count) rows, \(scoreCount) scores") }
            // The other run may have none, or another database, whose texts of numbers differ.
            if reference.hasLogStore { problems += Self.compare("log store", [rows], [reference.rows]) }
        }
        return problems
    }

    /// Whether this is the other's publications two times over, and the other's state.
    package func isTwice(_ once: Snapshot) -> Bool {
        scores == once.scores.map { $0 + $0 } && deadLetters == once.deadLetters.map { $0 + $0 } && state == once.state
    }

    /// Records of the other that are not here.
    private static func missing(_ ours: [[UInt64]], _ reference: [[UInt64]]) -> Int {
        let here = Set(ours.joined())
        return reference.joined().count { !here.contains($0) }
    }

    private static func compare(_ what: String, _ ours: [[UInt64]], _ reference: [[UInt64]]) -> [String] {
        if ours.count != reference.count {
            return ["\(what): \(ours.count) partitions, undisturbed \(reference.count)"]
        }
        return ours.indices.compactMap { i in
            if ours[i] == reference[i] { return nil }
            let place = zip(ours[i], reference[i]).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            let sizes = "\(ours[i].count) records, undisturbed \(reference[i].count)"
            let multiset = ours[i].sorted() == reference[i].sorted() ? "; the same records in another order" : ""
            return "\(what) [\(i)]: \(sizes)\(place.map { ", first difference at record \($0)" } ?? "")\(multiset)"
        }
    }
}
