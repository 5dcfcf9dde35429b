import Base
import Events
import JSON

/// One of the effects that a score of a model with several arms or outcomes lists.
package struct ScoreEffect: Sendable, Equatable {
    package var outcome: String
    package var treatment: String

    package init(outcome: String, treatment: String) {
        self.outcome = outcome
        self.treatment = treatment
    }

    /// The name of its column, as `model score` has it: `uplift:OUTCOME:TREATMENT`.
    func column(_ what: String) -> String { "\(what):\(outcome):\(treatment)" }

    /// The effects of the first score of a topic; empty when its model has one, or there is no score.
    package static func all(
        in scores: any PublishedScores, partitions: some Sequence<Int32>
    ) throws -> [ScoreEffect] {
        let reader = ScoreReader()
        for partition in partitions {
            try scores.begin(partition: partition)
            guard let bytes = try scores.peek() else { continue }
            guard let score = try? reader.read(bytes), score.effects.isPresent else { return [] }
            return try values(reader.string(score.effects)).map(\.effect)
        }
        return []
    }

    /// Effect, uplift and standard error of each entry of `effects`.
    static func values(_ json: String) throws(ImpactError) -> [(effect: ScoreEffect, uplift: Double, error: Double)] {
        let list = try JSONValue(parsing: Array(json.utf8), name: "effects")
        return (list.array ?? []).map { entry in
            (
                ScoreEffect(
                    outcome: entry["outcome"]?.string ?? "", treatment: entry["treatment"]?.string ?? ""),
                entry["uplift"]?.number ?? .nan, entry["std_error"]?.number ?? .nan
            )
        }
    }
}
