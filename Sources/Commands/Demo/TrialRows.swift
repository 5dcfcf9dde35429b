import Base
import Events
import Features
import JSON
import Simulation
import Terminal

/// Labelled training rows of the simulated trial, point in time: one row an assignment, the features exactly as the
/// stream computes them once the `treatment` event is applied, before anything it leads to.
///
/// CSV: the features by name, then `treatment` (0 or 1), `propensity`, `outcome` (0 or 1), and the truth that only a
/// simulation knows: `user_id`, `segment`, `effect`, `baseline`.
final class TrialRows {
    private let settings: TrialSettings
    private var simulation: TrialSimulation
    private let state: PartitionState
    private let batch: EventBatch
    private let buffer = ByteBuffer()
    private let row: UnsafeMutableBufferPointer<Float>
    private let names: [String]

    init(_ settings: TrialSettings, specification: FeatureSpecification) throws(ImpactError) {
        self.settings = settings
        simulation = try TrialSimulation(settings)
        let plan = try FeaturePlan(specification, schema: specification.eventSchema(extraTypes: ["treatment"]))
        state = PartitionState(plan: plan)
        batch = EventBatch(schema: plan.schema, capacity: 1)
        names = specification.names
        row = .allocate(capacity: max(1, plan.count))
    }

    deinit { row.deallocate() }

    /// Writes the header and `count` rows, the first at least `warmUp` milliseconds of event time after the start,
    /// spread evenly over the assignments by keeping one in `every`.
    func write(_ count: Int, warmUp: Int64, every: Int, to out: OutputFile) throws {
        let text = ByteBuffer(capacity: 1 << 20)
        for name in names {
            text.append(Array(name.utf8))
            text.append(UInt8(ascii: ","))
        }
        text.append("treatment,propensity,outcome,user_id,segment,effect,baseline\n")
        let progress = ProgressLine("rows", total: count, unit: "rows")
        var written = 0
        var assignments = 0
        while written < count {
            buffer.removeAll()
            let event = simulation.next(into: buffer)
            guard let slot = try apply(event), event.kind == .treatment else { continue }
            guard event.time - settings.start >= warmUp else { continue }
            assignments += 1
            guard assignments % every == 0 else { continue }
            append(event, slot, to: text)
            written += 1
            if text.count > 1 << 20 || written == count {
                try out.append(text.bytes)
                text.removeAll()
                progress.update(written)
            }
        }
        progress.finish(written)
    }

    /// Puts an event into the state; nil for one that is invalid or a duplicate.
    private func apply(_ event: GeneratedEvent) throws(ImpactError) -> PartitionState.Slot? {
        guard !event.isInvalid else { return nil }
        batch.removeAll()
        do throws(InputError) {
            try batch.append(
                buffer.bytes(event.value), key: buffer.bytes(event.key), source: SourcePosition(timestamp: event.time))
        } catch {
            throw ImpactError(.failed, code: "simulation_mismatch", "the reader refuses a simulated event: \(error)")
        }
        switch state.apply(batch, 0) {
        case .applied(let slot): return slot
        case .duplicate, .refused: return nil
        }
    }

    private func append(_ event: GeneratedEvent, _ slot: PartitionState.Slot, to text: ByteBuffer) {
        guard let numbers = row.baseAddress else { return }
        state.features(slot, into: numbers)
        // Nothing is ever rolled back here, so that the undo log need not grow.
        state.commit()
        for i in names.indices {
            // A missing value is an empty cell.
            if !row[i].isNaN { text.append(Double(row[i])) }
            text.append(UInt8(ascii: ","))
        }
        let user = TrialUser(seed: settings.seed, index: event.user)
        text.append(event.isTreated ? "1," : "0,")
        text.append(event.isTreated ? settings.propensity : 1 - settings.propensity)
        text.append(event.isConverted ? ",1," : ",0,")
        text.append(buffer.bytes(event.key))
        text.append(UInt8(ascii: ","))
        text.append(Array(user.segment.name.utf8))
        text.append(UInt8(ascii: ","))
        text.append(user.strata.effect)
        text.append(UInt8(ascii: ","))
        text.append(user.strata.baseline)
        text.append(UInt8(ascii: "\n"))
    }
}
