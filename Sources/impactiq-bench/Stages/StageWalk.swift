import Base
import Events
import Features
import Foundation
import Pipeline
import Scoring

/// One walk over the messages, stage by stage and batch by batch, each stage timed on its own.
final class StageWalk {
    typealias Stage = StageTimes.Stage

    private let benchmark: StageBenchmark
    private let last: Stage
    private let parsed: EventBatch
    private let state: PartitionState
    private let scorer: Scorer
    private let writer: ScoreWriter
    private let rows: UnsafeMutablePointer<Float>
    private let slots: UnsafeMutablePointer<Int>
    private let estimates: UnsafeMutablePointer<Estimate>
    private let out = ByteBuffer(capacity: 1 << 20)
    private let scoredTypes: UInt64
    private var rowCount = 0
    /// What the outputs came to.
    private(set) var scores = 0
    private(set) var scoreBytes = 0
    private(set) var changed = 0
    private(set) var changedBytes = 0
    private var nanoseconds: [Stage: UInt64] = [:]

    init(_ benchmark: StageBenchmark, until last: Stage = .changelog) throws {
        self.benchmark = benchmark
        self.last = last
        let (model, batch) = (benchmark.model, benchmark.batch)
        parsed = EventBatch(schema: benchmark.plan.schema, capacity: batch)
        state = PartitionState(plan: benchmark.plan)
        scorer = Scorer(model: model, maxRows: batch)
        writer = ScoreWriter(
            effects: model.treatments.flatMap { treatment in
                model.outcomes.map { ScoreWriter.EffectName(treatment: treatment, outcome: $0) }
            }, level: 0.95, decisions: ["treat", "suppress", "uncertain"], model: model.name, version: model.version,
            sha256: model.sha256, topics: ["events"])
        scoredTypes = StageBenchmark.scoreEvents.reduce(0) { mask, type in
            mask | (benchmark.plan.schema.typeNumber(type).map { 1 << UInt64($0) } ?? 0)
        }
        // One row more: the last one read may be of an event that is not scored.
        rows = .allocate(capacity: (batch + 1) * model.rowStride)
        rows.initialize(repeating: 0, count: (batch + 1) * model.rowStride)
        slots = .allocate(capacity: batch)
        estimates = .allocate(capacity: batch * model.effectCount)
    }

    deinit {
        rows.deallocate()
        slots.deallocate()
        estimates.deallocate()
    }

    /// Nanoseconds of processor time an event (also of stages that only some events reach).
    func run() throws -> [Stage: Double] {
        let messages = benchmark.messages
        var start = 0
        var uncommitted = 0
        while start < messages.count {
            let end = min(messages.count, start + benchmark.batch)
            try timed(.parse) { try parse(start..<end) }
            if last != .parse {
                // A state of its own shows what reading the features costs.
                timed(last == .state ? .state : .features) { apply(reading: last != .state) }
            }
            if last != .parse, last != .state, last != .features {
                timed(.score) {
                    scorer.score(rows: rows, stride: benchmark.model.rowStride, count: rowCount, into: estimates)
                }
                timed(.write) { write() }
            }
            uncommitted += end - start
            if uncommitted >= benchmark.commit {
                if last == .changelog { timed(.changelog) { encode() } }
                timed(last == .state ? .state : .features) { state.commit() }
                uncommitted = 0
            }
            start = end
        }
        var result = nanoseconds.mapValues { Double($0) / Double(messages.count) }
        if last == .changelog {
            let alone = try StageWalk(benchmark, until: .state).run()
            result[.state] = alone[.state]
            result[.features] = (result[.features] ?? 0) - (alone[.state] ?? 0)
        }
        return result
    }

    private func timed(_ stage: Stage, _ body: () throws -> Void) rethrows {
        let start = Self.processorTime()
        try body()
        nanoseconds[stage, default: 0] += Self.processorTime() - start
    }

    /// Nanoseconds of processor time of this thread.
    static func processorTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func parse(_ range: Range<Int>) throws {
        parsed.removeAll()
        for i in range {
            try parsed.append(
                benchmark.messages.value(i), key: benchmark.messages.key(i),
                source: SourcePosition(partition: 0, offset: Int64(i), timestamp: 2_200_000_000_000))
        }
    }

    private func apply(reading: Bool) {
        rowCount = 0
        let stride = benchmark.model.rowStride
        state.apply(parsed) { i, applied in
            guard reading, case .applied(let slot) = applied else { return }
            // Read for every event; the rows of those that are scored stay.
            state.features(slot, into: rows + rowCount * stride)
            let type = parsed[i].type
            guard type < 64, scoredTypes & (1 << UInt64(type)) != 0 else { return }
            slots[rowCount] = i
            rowCount += 1
        }
    }

    private func write() {
        out.removeAll()
        for row in 0..<rowCount {
            let estimate = estimates[row * benchmark.model.effectCount]
            let effect = ScoreWriter.Effect(
                uplift: estimate.effect, standardError: estimate.standardError,
                lower: estimate.effect - estimate.standardError, upper: estimate.effect + estimate.standardError)
            withUnsafePointer(to: effect) {
                writer.write(
                    parsed[slots[row]], of: parsed, effects: UnsafeBufferPointer(start: $0, count: 1), decided: 0,
                    decision: 0, into: out)
            }
        }
        scores += rowCount
        scoreBytes += out.count
    }

    private func encode() {
        out.removeAll()
        state.forEachDirty { user, slot in
            guard let slot else { return }
            out.append(user)
            state.encode(slot, into: out)
            changed += 1
        }
        changedBytes += out.count
    }
}
