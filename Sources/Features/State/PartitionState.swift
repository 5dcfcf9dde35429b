import Base
import Events

/// What the model knows about the users of one partition: one shard, used by one thread.
///
/// ```
/// apply(event) ──► record of the user ──► features(slot) ──► row of the model
///                     │ first touch
///                     ▼
///                  undo log ──► forEachDirty ──► changelog ──► commit() or rollback()
/// ```
/// Nothing is allocated per event once the working set is in memory. Not `Sendable`: a shard moves between threads
/// only by being handed over whole.
public final class PartitionState {
    /// What became of an event.
    public enum Applied: Equatable {
        /// The event is in the state; the slot is good until the next call that changes the state.
        case applied(Slot)
        /// The user already has an event of this id among the remembered ones; nothing changed.
        case duplicate
        /// The user refuses that events are stored; nothing changed.
        case refused

        @inline(__always)
        init(reference: UInt32) {
            switch reference {
            case 0: self = .duplicate
            case PartitionCore.refused: self = .refused
            default: self = .applied(Slot(reference: reference))
            }
        }
    }

    /// A user's place.
    public struct Slot: Equatable, BitwiseCopyable, Sendable {
        let reference: UInt32
    }

    /// What went through. Part of what ``rollback()`` takes back.
    public struct Counters: Equatable, BitwiseCopyable, Sendable {
        /// Events applied, late ones among them, duplicates not.
        public var events: UInt64 = 0
        /// Events dropped since their id was known.
        public var duplicates: UInt64 = 0
        /// Events older than the longest window. They still count in `last`, `recency` and the decayed aggregates.
        public var late: UInt64 = 0
        /// Users forgotten after ``PartitionState/timeToLive`` without an event.
        public var expired: UInt64 = 0
    }

    public let plan: FeaturePlan
    /// One pointer for all mutable state: see ``PartitionCore``.
    let core: UnsafeMutablePointer<PartitionCore>

    /// - Parameter seed: for tests; nil draws the table's hash key at random.
    public init(plan: FeaturePlan, seed: UInt64? = nil) {
        self.plan = plan
        core = .allocate(capacity: 1)
        core.initialize(to: PartitionCore(plan, seed: seed))
    }

    deinit {
        core.deinitialize(count: 1)
        core.deallocate()
    }

    public var userCount: Int { core.pointee.table.count }
    public var counters: Counters { core.pointee.counters }

    /// Bytes of memory held: records, table and undo log.
    public var memoryBytes: Int {
        core.pointee.arena.bytes + core.pointee.table.bytes + core.pointee.undo.bytes
    }

    /// Bytes of the users' records alone.
    public var recordBytes: Int { core.pointee.arena.liveBytes }

    /// Applies one event.
    ///
    /// - Parameters:
    ///   - fields: a value for each field of the plan's schema, in its order.
    ///   - user: the id's UTF-8 bytes, at most 65,535.
    public func apply(
        _ event: Event, fields: UnsafeBufferPointer<FieldValue>, user: UnsafeRawBufferPointer
    ) -> Applied {
        precondition(fields.count >= plan.schema.fields.count, "an event has a value for each field of the schema")
        let reference = core.pointee.apply(
            PartitionCore.Arrival(event), fields.baseAddress ?? core.pointee.noFields, user, core.pointee.hash(user))
        return Applied(reference: reference)
    }

    /// Writes the user's features as of the user's own clock, the latest event time seen; NaN is missing.
    ///
    /// - Parameter row: room for ``FeaturePlan/count`` numbers.
    public func features(_ slot: Slot, into row: UnsafeMutablePointer<Float>) {
        core.pointee.read(slot.reference, into: row)
    }

    /// The features of a user, or nil for one who is not there.
    public func features(ofUser user: UnsafeRawBufferPointer) -> [Float]? {
        guard let slot = slot(ofUser: user) else { return nil }
        return [Float](unsafeUninitializedCapacity: plan.count) { buffer, count in
            if let base = buffer.baseAddress { core.pointee.read(slot.reference, into: base) }
            count = plan.count
        }
    }

    public func slot(ofUser user: UnsafeRawBufferPointer) -> Slot? {
        core.pointee.find(user, core.pointee.hash(user)).map { Slot(reference: UserTable.reference($0)) }
    }

    /// The user's clock: the latest event time, milliseconds since 1970.
    public func clock(_ slot: Slot) -> Int64 { core.pointee.record(slot.reference).clock }

    /// Events applied to the user.
    public func eventCount(_ slot: Slot) -> UInt32 {
        core.pointee.record(slot.reference).read(RecordLayout.events, as: UInt32.self)
    }

    /// The user's id; the bytes are good until the next call that changes the state.
    public func user(_ slot: Slot) -> UnsafeRawBufferPointer {
        core.pointee.user(core.pointee.record(slot.reference))
    }

    /// Calls `body` with every user, in an order that is another one in each process.
    public func forEachUser(_ body: (UnsafeRawBufferPointer, Slot) -> Void) {
        core.pointee.table.forEach { reference in
            let slot = Slot(reference: reference)
            body(user(slot), slot)
        }
    }
}
