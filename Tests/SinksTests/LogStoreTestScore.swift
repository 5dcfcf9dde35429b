import Sinks

/// A score as a test sees it: what goes into a batch and what comes out of a table.
struct TestScore: Hashable, Comparable, CustomStringConvertible {
    var topic = "events"
    var partition: Int32 = 0
    var offset: Int64 = 0
    var user = "u"
    var time: Int64 = 1_795_255_200_123
    var eventType = "click"
    var treatment: String? = "ad"
    var outcome: String? = "conversion"
    var uplift = 0.0123
    var standardError: Double? = 0.0041
    var lower: Double? = 0.0043
    var upper: Double? = 0.0203
    var level: Double? = 0.95
    var decision = "treat"
    var model = "spring"
    var version = "3"
    var sha256 = String(repeating: "9f86d081", count: 8)
    var effects: String?

    static func < (a: Self, b: Self) -> Bool { (a.topic, a.partition, a.offset) < (b.topic, b.partition, b.offset) }

    var description: String { "\(topic) [\(partition)] \(offset) \(user) \(uplift)" }

    static func random(partition: Int32, offset: Int64, using generator: inout some RandomNumberGenerator) -> TestScore
    {
        func number() -> Double { Double(Int64.random(in: -1 << 52...1 << 52, using: &generator)) * 0x1p-60 }
        func maybe<T>(_ value: T) -> T? { Int.random(in: 0..<5, using: &generator) == 0 ? nil : value }
        return TestScore(
            partition: partition, offset: offset, user: "user-\(Int.random(in: 0..<50, using: &generator))",
            time: Int64.random(in: -62_135_596_800_000...253_402_300_799_999, using: &generator),
            treatment: maybe("ad"), outcome: maybe("conversion"), uplift: number(), standardError: maybe(number()),
            lower: maybe(number()), upper: maybe(number()),
            decision: ["treat", "suppress", "uncertain"].randomElement(using: &generator) ?? "treat",
            effects: Bool.random(using: &generator) ? nil : #"[{"treatment":"ad","uplift":1e-3}]"#)
    }
}

extension TestScore {
    /// As a log store gives it back to a page, which does not show `effects`.
    init(_ stored: StoredScore) {
        func known(_ value: Double) -> Double? { value.isNaN ? nil : value }
        self.init(
            topic: stored.sourceTopic, partition: stored.sourcePartition, offset: stored.sourceOffset,
            user: stored.user,
            time: stored.time, eventType: stored.eventType, treatment: stored.treatment, outcome: stored.outcome,
            uplift: stored.uplift, standardError: known(stored.standardError), lower: known(stored.lower),
            upper: known(stored.upper), level: known(stored.level), decision: stored.decision, model: stored.model,
            version: stored.modelVersion, sha256: stored.modelSHA256)
    }

    var withoutEffects: TestScore {
        var score = self
        score.effects = nil
        return score
    }
}

extension ScoreRows {
    /// Adds a test's score, the way the reader adds one it has parsed.
    func append(_ score: TestScore) throws(Fault) {
        let above = last
        func text(_ text: String?, _ previous: Text = .null) -> Text {
            guard var text else { return .null }
            return text.withUTF8 { put(UnsafeRawBufferPointer($0), sharing: previous) }
        }
        var row = Row()
        row.sourceTopic = text(score.topic, above.sourceTopic)
        row.sourcePartition = score.partition
        row.sourceOffset = score.offset
        row.user = text(score.user)
        row.time = score.time
        row.eventType = text(score.eventType, above.eventType)
        row.treatment = text(score.treatment, above.treatment)
        row.outcome = text(score.outcome, above.outcome)
        row.uplift = score.uplift
        row.standardError = score.standardError ?? .nan
        row.lower = score.lower ?? .nan
        row.upper = score.upper ?? .nan
        row.level = score.level ?? .nan
        row.decision = text(score.decision, above.decision)
        row.model = text(score.model, above.model)
        row.modelVersion = text(score.version, above.modelVersion)
        row.modelSHA256 = text(score.sha256, above.modelSHA256)
        row.effects = text(score.effects)
        try append(row)
    }
}

extension ScoreBatch {
    static let output = FollowedTopic(cluster: "cluster-1", topic: "uplift-scores")

    /// A batch of one partition whose rows stood at `from ..< next` of the output topic.
    convenience init(
        _ scores: [TestScore], partition: Int32 = 0, from: Int64?, next: Int64, source: FollowedTopic = output
    ) throws(ScoreRows.Fault) {
        self.init(source: source, capacity: max(scores.count, 1))
        for score in scores { try rows.append(score) }
        advances = [Advance(partition: partition, expected: from, next: next)]
    }
}
