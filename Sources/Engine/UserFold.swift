import Base
import Events
import Features
import JSON
import Scoring

/// One user's events folded into the row of features that the model reads: the stream's first three stages for a user
/// who is not in any state, as a what-if question asks.
///
/// The row is the one that the stream would score at the last event, bit for bit: the reader, the state and the plan
/// are the same. One thread at a time.
package final class UserFold {
    /// What the events came to.
    package struct Result {
        /// Events applied.
        package var events = 0
        /// Events left out since their id was there already.
        package var duplicates = 0
        /// Of the last event applied: its time in milliseconds since 1970, and its type.
        package var time: Int64 = 0
        package var type: [UInt8] = []

        package init() {}
    }

    package let plan: FeaturePlan
    private let batch: EventBatch
    private let eraseNumber: Int

    /// - Parameter limits: of one event; a key is never asked for.
    /// - Throws: `missing_specification` for a model that can score rows only.
    package init(model: Model, limits: EventLimits = EventLimits()) throws(ImpactError) {
        plan = try Processor.plan(of: model, scoreEvents: [])
        eraseNumber = plan.schema.typeNumber(Processor.eraseType) ?? -1
        var limits = limits
        limits.requiresKey = false
        batch = EventBatch(schema: plan.schema, limits: limits, capacity: 1)
    }

    /// Makes an empty state; the events of one question go into it in their order.
    package func begin() -> PartitionState { PartitionState(plan: plan) }

    /// Applies one event.
    ///
    /// - Parameter result: counts it.
    package func apply(
        _ event: UnsafeRawBufferPointer, to state: PartitionState, _ result: inout Result
    ) throws(InputError) {
        batch.removeAll()
        try batch.append(event, key: nil, source: SourcePosition())
        let applied = state.apply(batch, 0)
        guard case .applied = applied else {
            if applied == .duplicate { result.duplicates += 1 }
            return
        }
        result.events += 1
        result.time = batch[0].time
        result.type = Array(batch.bytes(batch[0].typeText))
        if Int(batch[0].type) == eraseNumber { state.remove(user: batch.user(0)) }
    }

    /// Whether the user refuses, by an event of ``Purposes/eventType`` among those applied, that anybody scores them.
    package func refusesScoring(_ user: UnsafeRawBufferPointer, in state: PartitionState) -> Bool {
        guard let slot = state.slot(ofUser: user) else { return false }
        return !state.refuses(slot).isDisjoint(with: [.scoring, .storing])
    }

    /// Writes the row of a user; false when nothing is known of them.
    ///
    /// - Parameter row: room for the plan's count of numbers.
    package func row(
        of user: UnsafeRawBufferPointer, in state: PartitionState, into row: UnsafeMutablePointer<Float>
    ) -> Bool {
        guard let slot = state.slot(ofUser: user) else { return false }
        state.features(slot, into: row)
        return true
    }
}
