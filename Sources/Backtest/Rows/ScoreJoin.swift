import Base
import Events
import JSON

/// Finds the published score that belongs to an assignment, reading a partition's scores once, in step with its events.
final class ScoreJoin {
    struct Found {
        var uplift: Double
        var standardError: Double
        /// Uplift and standard error of each effect that has columns; NaN where the score does not list it.
        var effects: [Double] = []
    }

    private let scores: any PublishedScores
    private let reader = ScoreReader()
    private let partition: Int32
    private let mode: RowsOptions.ScoreAt
    private let effects: [ScoreEffect]
    /// By the hash of the user's id: the last score before the place that was asked for. Only for `before`.
    private var latest: [UInt64: Found] = [:]
    private(set) var models: Set<String> = []
    private var lastModel: [UInt8] = []

    init(_ scores: any PublishedScores, partition: Int32, mode: RowsOptions.ScoreAt, effects: [ScoreEffect] = []) throws
    {
        self.scores = scores
        self.partition = partition
        self.mode = mode
        self.effects = effects
        try scores.begin(partition: partition)
    }

    /// The score for the event at this offset; offsets must ascend.
    func score(at offset: Int64, userHash: UInt64) throws -> Found? {
        while let bytes = try scores.peek() {
            let score = try read(bytes)
            guard score.sourceOffset <= offset else { break }
            let found = Found(
                uplift: score.uplift, standardError: score.standardError, effects: try values(of: score))
            if score.sourceOffset == offset {
                note(score)
                return found
            }
            if mode == .before {
                latest[StableHash.hash(reader.bytes(score.user))] = found
                note(score)
            }
            scores.advance()
        }
        return mode == .before ? latest[userHash] : nil
    }

    private func values(of score: Score) throws(ImpactError) -> [Double] {
        guard !effects.isEmpty else { return [] }
        let listed = score.effects.isPresent ? try ScoreEffect.values(reader.string(score.effects)) : []
        return effects.flatMap { effect in
            listed.first { $0.effect == effect }.map { [$0.uplift, $0.error] } ?? [.nan, .nan]
        }
    }

    private func read(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) -> Score {
        do throws(InputError) { return try reader.read(bytes) } catch {
            let text = String(decoding: bytes.prefix(200), as: UTF8.self)
            throw ImpactError(
                .badInput, code: "not_a_score",
                "partition \(partition) of the scores holds a message that is not a score (\(error.code.name)): \(text)"
            )
        }
    }

    private func note(_ score: Score) {
        let hash = reader.bytes(score.modelSHA256)
        guard !lastModel.elementsEqual(hash) else { return }
        lastModel = Array(hash)
        models.insert(
            "\(reader.string(score.model)) \(reader.string(score.modelVersion)) \(reader.string(score.modelSHA256))")
    }
}
