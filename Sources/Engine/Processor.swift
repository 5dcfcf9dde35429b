import Base
import Events
import Features
import JSON
import Scoring

/// The four stages on a batch: parse → apply → score → write, in the order of the messages.
///
/// ```
/// begin(partition) ─► append(message)… ─► flush()
///                   │ InputError         │ rows of all partitions scored together
///                   ▼                    ▼
///               dead letter          partition.addOutput(score JSON)
/// ```
/// Knows neither Kafka's consumer nor its producer, so that the live pipeline, replay and the benchmark run the same
/// code. What it writes depends on the messages alone, not on how they are cut into batches. One thread at a time; in
/// steady state it allocates nothing.
package final class Processor {
    /// What is the same for a whole run.
    package struct Settings: Sendable {
        package var limits = EventLimits()
        /// Types whose events trigger a score.
        package var scoreEvents = ["ad_view", "click"]
        package var level = ConfidenceLevel.usual
        package var threshold = 0.0
        /// Names of the input topics, by the number in a source position.
        package var topics = ["events"]
        package var capacity = 1_024
        /// Whether an erased user gets a tombstone among the scores.
        package var writesTombstones = false
        /// Milliseconds of event time that a user without an event is remembered; 0 is for ever.
        package var timeToLive: Int64 = 0

        package init() {}
    }

    /// What a flush did.
    package struct Outcome {
        package var events = 0
        package var scores = 0
        package var duplicates = 0
        /// Events of ``Processor/eraseType``, and those by which a user refuses that anything is stored.
        package var erasures = 0
        /// Events that were not stored, and events that were not scored, since their users refuse it.
        package var notStored = 0
        package var notScored = 0
        /// Scores by decision, in the order of `Decision`.
        package var treat = 0
        package var suppress = 0
        package var uncertain = 0
    }

    /// The type of an event that erases its user.
    package static let eraseType = Event.eraseType
    /// Types that every stream knows, beside those that features and scoring name.
    package static let userTypes = [eraseType, Purposes.eventType]

    package let model: Model
    package let plan: FeaturePlan
    private let eraseNumber: UInt8
    private let consentNumber: UInt8
    private let settings: Settings
    private let events: EventBatch
    private let scorer: Scorer
    private let writer: ScoreWriter
    private let scoredTypes: UInt64
    /// The event types seen so far by their numbers; bit 63 is any that the schema does not know.
    package private(set) var seenTypes: UInt64 = 0
    /// Events applied so far.
    package private(set) var appliedEvents = 0

    /// Consecutive events of one partition.
    private struct Run {
        var partition: Unmanaged<Partition>
        var start: Int
        var end: Int
    }
    private let runs: UnsafeMutablePointer<Run>
    private var runCount = 0
    /// The caller's number of each event's message.
    private let tags: UnsafeMutablePointer<Int>
    private let rows: UnsafeMutablePointer<Float>
    /// For each row the event it belongs to.
    private let rowEvents: UnsafeMutablePointer<Int>
    private let estimates: UnsafeMutablePointer<Estimate>
    private let effects: UnsafeMutablePointer<ScoreWriter.Effect>
    /// Events of the batch that erased their users, in order.
    private let erasures: UnsafeMutablePointer<Int>

    /// - Throws: `missing_specification` for a model without a feature specification.
    package init(model: Model, settings: Settings) throws(ImpactError) {
        self.model = model
        self.settings = settings
        let plan = try Self.plan(of: model, scoreEvents: settings.scoreEvents)
        self.plan = plan
        // Asked for in `plan(of:scoreEvents:)`, so it is there.
        eraseNumber = UInt8(clamping: plan.schema.typeNumber(Self.eraseType) ?? 255)
        consentNumber = UInt8(clamping: plan.schema.typeNumber(Purposes.eventType) ?? 255)
        scoredTypes = settings.scoreEvents.reduce(0) { mask, type in
            plan.schema.typeNumber(type).map { mask | 1 << UInt64($0) } ?? mask
        }
        events = EventBatch(schema: plan.schema, limits: settings.limits, capacity: settings.capacity)
        scorer = Scorer(model: model, maxRows: settings.capacity)
        writer = ScoreWriter(
            effects: model.treatments.flatMap { treatment in
                model.outcomes.map { ScoreWriter.EffectName(treatment: treatment, outcome: $0) }
            }, level: settings.level.level, decisions: Decision.allCases.map(\.name), model: model.name,
            version: model.version, sha256: model.sha256, topics: settings.topics,
            response: model.isResponse ? model.responseName : nil)
        runs = .allocate(capacity: settings.capacity)
        tags = .allocate(capacity: settings.capacity)
        rows = .allocate(capacity: settings.capacity * model.rowStride)
        rows.initialize(repeating: 0, count: settings.capacity * model.rowStride)
        rowEvents = .allocate(capacity: settings.capacity)
        estimates = .allocate(capacity: settings.capacity * model.effectCount)
        effects = .allocate(capacity: model.effectCount)
        erasures = .allocate(capacity: settings.capacity)
    }

    deinit {
        runs.deallocate()
        tags.deallocate()
        rows.deallocate()
        rowEvents.deallocate()
        estimates.deallocate()
        effects.deallocate()
        erasures.deallocate()
    }

    /// The model's feature specification, compiled against a schema that also knows the types that are scored or erase.
    package static func plan(of model: Model, scoreEvents: [String]) throws(ImpactError) -> FeaturePlan {
        guard !model.specificationJSON.isEmpty else {
            throw ImpactError(
                .badInput, code: "missing_specification",
                "\(model.path) holds no feature specification, so it cannot score events; import it again with --features"
            )
        }
        let specification = try FeatureSpecification(json: model.specificationJSON)
        return try FeaturePlan(specification, schema: specification.eventSchema(extraTypes: scoreEvents + userTypes))
    }

    /// An empty partition as this processor's settings want it.
    package func partition(_ number: Int32) -> Partition {
        Partition(number, plan: plan, timeToLive: settings.timeToLive)
    }

    package var isFull: Bool { events.count == settings.capacity }
    package var isEmpty: Bool { events.count == 0 }
    package var schema: EventSchema { plan.schema }

    /// Values that no feature can use, such as a text where a number is wanted, by the field's path; fields without any are
    /// left out. They count as missing.
    package var unusableValues: [String: Int] {
        schema.fields.indices.reduce(into: [:]) { counts, field in
            let count = events.unusableValues(field)
            if count > 0 { counts[schema.fields[field].path] = count }
        }
    }

    /// The messages that follow belong to this partition.
    package func begin(_ partition: Partition) {
        if runCount > 0, runs[runCount - 1].start == events.count { runCount -= 1 }
        // A run holds an event at least, except the last one: there are never more runs than events.
        precondition(runCount < settings.capacity, "flush a full batch first")
        runs[runCount] = Run(partition: .passUnretained(partition), start: events.count, end: events.count)
        runCount += 1
    }

    /// Parses a message of the current partition.
    ///
    /// - Parameter tag: the caller's number of the message, given back when it cannot be scored.
    package func append(
        _ message: UnsafeRawBufferPointer?, key: UnsafeRawBufferPointer?, source: SourcePosition, tag: Int
    ) throws(InputError) {
        try events.append(message, key: key, source: source)
        tags[events.count - 1] = tag
        runs[runCount - 1].end = events.count
    }

    /// Calls `body` with the events appended for each partition, in order.
    package func forEachRun<Failure: Error>(
        _ body: (Partition, EventBatch, Range<Int>) throws(Failure) -> Void
    ) throws(Failure) {
        for run in 0..<runCount where runs[run].start < runs[run].end {
            try body(runs[run].partition.takeUnretainedValue(), events, runs[run].start..<runs[run].end)
        }
    }

    /// Applies and scores what was appended, and puts the scores into their partitions.
    ///
    /// - Parameter reject: takes an event whose row the model refuses: its tag and why.
    package func flush<Failure: Error>(
        reject: (Int, InputError) throws(Failure) -> Void
    ) throws(Failure) -> Outcome {
        var outcome = Outcome()
        let rowCount = applyAll(&outcome)
        let refused = scorer.score(rows: rows, stride: model.rowStride, count: rowCount, into: estimates)
        defer { discard() }
        var run = 0
        var tombstones = Tombstones(count: settings.writesTombstones ? outcome.erasures : 0)
        for row in 0..<rowCount {
            let index = rowEvents[row]
            writeTombstones(before: index, &tombstones)
            while runs[run].end <= index { run += 1 }
            if refused > 0, let feature = scorer.refusedFeature(row: row) {
                try reject(tags[index], InputError(.missingFeature, field: .feature(feature)))
                continue
            }
            runs[run].partition._withUnsafeGuaranteedRef { write(row: row, event: index, into: $0, &outcome) }
        }
        writeTombstones(before: events.count, &tombstones)
        return outcome
    }

    /// How far the tombstones of a batch are written.
    private struct Tombstones {
        var next = 0
        var run = 0
        let count: Int

        init(count: Int) { self.count = count }
    }

    /// A user's tombstone comes after the scores of the events before his erasure, and before those after it.
    private func writeTombstones(before event: Int, _ tombstones: inout Tombstones) {
        while tombstones.next < tombstones.count, erasures[tombstones.next] < event {
            let index = erasures[tombstones.next]
            while runs[tombstones.run].end <= index { tombstones.run += 1 }
            runs[tombstones.run].partition._withUnsafeGuaranteedRef {
                $0.addTombstone(key: events.user(index), timestamp: events[index].source.timestamp)
            }
            tombstones.next += 1
        }
    }

    /// What was appended and not flushed, for those who count while replaying.
    package var batch: EventBatch { events }

    /// Applies what was appended without scoring it: the warm-up of a replay.
    package func flushWithoutScores() -> Outcome {
        defer { discard() }
        var outcome = Outcome()
        _ = applyAll(&outcome)
        return outcome
    }

    /// Forgets what was appended and not flushed.
    package func discard() {
        events.removeAll()
        runCount = 0
    }

    /// Applies every event in order; the rows of those that are scored stand together afterwards.
    private func applyAll(_ outcome: inout Outcome) -> Int {
        var rowCount = 0
        var seen: UInt64 = 0
        defer {
            seenTypes |= seen
            appliedEvents += outcome.events
        }
        for run in 0..<runCount {
            runs[run].partition._withUnsafeGuaranteedRef { partition in
                let state = partition.state
                state.apply(events, runs[run].start..<runs[run].end) { index, applied in
                    guard case .applied(let slot) = applied else {
                        if applied == .refused { outcome.notStored += 1 } else { outcome.duplicates += 1 }
                        return
                    }
                    outcome.events += 1
                    let type = events[index].type
                    seen |= 1 &<< UInt64(min(type, 63))
                    if type == eraseNumber {
                        // Applied first, so that a repeated id is a duplicate here too.
                        partition.erase(user: events.user(index))
                        erasures[outcome.erasures] = index
                        outcome.erasures += 1
                        return
                    }
                    if type == consentNumber {
                        guard !events[index].refuses.isEmpty else { return }
                        partition.withdrawn?(events.user(index))
                        guard events[index].refuses.contains(.storing) else { return }
                        // The record is blank already; what was published and stored elsewhere follows.
                        partition.erased?(events.user(index))
                        erasures[outcome.erasures] = index
                        outcome.erasures += 1
                        return
                    }
                    guard type < 64, scoredTypes & (1 << UInt64(type)) != 0 else { return }
                    if !state.refuses(slot).isDisjoint(with: .scoring) {
                        outcome.notScored += 1
                        return
                    }
                    state.features(slot, into: rows + rowCount * model.rowStride)
                    rowEvents[rowCount] = index
                    rowCount += 1
                }
            }
        }
        return rowCount
    }

    private func write(row: Int, event index: Int, into partition: Partition, _ outcome: inout Outcome) {
        let event = events[index]
        let count = model.effectCount
        for i in 0..<count {
            let estimate = estimates[row * count + i]
            let (lower, upper) = settings.level.interval(estimate)
            effects[i] = ScoreWriter.Effect(
                uplift: estimate.effect, standardError: estimate.standardError, lower: lower, upper: upper)
        }
        let decided = decidedEffect(count)
        let decision =
            model.isResponse
            ? model.responseDecision(
                effects[decided].uplift, outcome: decided % model.outcomes.count, threshold: settings.threshold)
            : Decision(lower: effects[decided].lower, upper: effects[decided].upper, threshold: settings.threshold)
        partition.addOutput(key: events.user(index), timestamp: event.source.timestamp, tag: tags[index]) { out in
            writer.write(
                event, of: events, effects: UnsafeBufferPointer(start: effects, count: count), decided: decided,
                decision: Int(decision.rawValue), into: out)
        }
        outcome.scores += 1
        switch decision {
        case .treat: outcome.treat += 1
        case .suppress: outcome.suppress += 1
        case .uncertain: outcome.uncertain += 1
        }
    }

    /// With several arms the one with the largest effect on the first outcome is decided on; the first of equals.
    private func decidedEffect(_ count: Int) -> Int {
        var best = 0
        for treatment in 1..<max(1, model.treatments.count) {
            let index = model.effectIndex(treatment: treatment, outcome: 0)
            if effects[index].uplift > effects[best].uplift { best = index }
        }
        return best
    }
}
