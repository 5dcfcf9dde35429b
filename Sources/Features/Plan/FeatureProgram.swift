import Base
import Events

/// A plan in the form that runs: flat tables of plain values, by event type.
///
/// Programs are numbered like the schema's types, with one more for types that the schema does not know.
final class FeatureProgram: Sendable {
    /// Adds a selected number to a lane of a row.
    struct RowOperation: BitwiseCopyable, Sendable {
        let selection: UInt16
        let kind: FeaturePlanBuilder.LaneKind
        let offset: UInt16
    }

    /// Puts a selected number or its time into the fixed part.
    struct FixedOperation: BitwiseCopyable, Sendable {
        let selection: UInt16
        let kind: FeaturePlanBuilder.FixedKind
        let time: UInt32
        let value: UInt32
        let halfLife: Int64
    }

    /// Puts a field's number into the fixed part: a `last` feature without a condition. The most common kind of feature
    /// by far, so it does not take the way over selections.
    struct LastNumber: BitwiseCopyable, Sendable {
        let field: UInt16
        let place: LastPlace
    }

    /// The same of whether a field equals a constant.
    struct LastIndicator: BitwiseCopyable, Sendable {
        let test: FieldTest
        let place: LastPlace
    }

    /// Where a `last` feature keeps its time and its value.
    struct LastPlace: BitwiseCopyable, Sendable {
        let time: UInt32
        let value: UInt32
    }

    /// Rows of a calendar.
    struct Calendar: BitwiseCopyable, Sendable {
        let clock: CalendarClock
        let rowBytes: Int
        /// Offset of a new row in ``templates``.
        let template: Int
    }

    /// Values of a distinct table.
    struct Distinct: BitwiseCopyable, Sendable {
        let clock: CalendarClock
        let field: Int
        let condition: EventCondition?
        let capacity: Int
    }

    /// The operations of each program in one table: those of program p and group g of `groups` are
    /// `start[p × groups + g] ..< start[p × groups + g + 1]`.
    struct Table<Operation: BitwiseCopyable & Sendable>: Sendable {
        let start: PlainArray<UInt32>
        let operations: PlainArray<Operation>

        init(_ groups: [[Operation]]) {
            var starts: [UInt32] = [0]
            for group in groups { starts.append(starts[starts.count - 1] + UInt32(group.count)) }
            start = PlainArray(starts)
            operations = PlainArray(groups.flatMap { $0 })
        }

        var view: TableView<Operation> { TableView(start: start.base, operations: operations.base) }
    }

    /// A table as bare pointers, good while its program lives: reaching through the program's objects would cost a
    /// retain and a release each time.
    struct TableView<Operation: BitwiseCopyable>: BitwiseCopyable {
        let start: UnsafePointer<UInt32>
        let operations: UnsafePointer<Operation>
    }

    let typeCount: Int
    let deduplicationIDs: Int
    let listCount: Int
    let fixedEnd: Int
    let largestRecord: Int
    let selections: PlainArray<Selection>
    let calendars: PlainArray<Calendar>
    let distincts: PlainArray<Distinct>
    let templates: PlainArray<UInt8>
    /// The calendar that reaches furthest back, to tell late events; nil without windows.
    let lateness: CalendarClock?
    let selected: Table<UInt16>
    let rows: Table<RowOperation>
    let lastNumbers: Table<LastNumber>
    let lastIndicators: Table<LastIndicator>
    /// The fixed places that are neither.
    let fixed: Table<FixedOperation>
    let counted: Table<UInt16>
    let reader: FeatureReader

    init(_ plan: FeaturePlanBuilder) throws(ImpactError) {
        typeCount = plan.schema.types.count
        deduplicationIDs = plan.specification.deduplicationIDs
        listCount = plan.listCount
        fixedEnd = plan.fixedEnd
        selections = PlainArray(plan.selections)
        var template: [UInt8] = []
        var calendars: [Calendar] = []
        for calendar in plan.calendars {
            calendars.append(
                Calendar(
                    clock: CalendarClock(bucket: calendar.bucket, buckets: calendar.buckets),
                    rowBytes: calendar.rowBytes, template: template.count))
            template += Self.template(calendar)
        }
        self.calendars = PlainArray(calendars)
        templates = PlainArray(template)
        distincts = PlainArray(
            plan.distincts.map {
                Distinct(
                    clock: CalendarClock(bucket: $0.bucket, buckets: $0.buckets), field: $0.field,
                    condition: $0.condition, capacity: $0.capacity)
            })
        let windows =
            plan.calendars.map { ($0.bucket, $0.buckets) } + plan.distincts.map { ($0.bucket, $0.buckets) }
        let furthest = windows.max {
            ($0.0.minutes * Int64($0.1), $1.0.minutes) < ($1.0.minutes * Int64($1.1), $0.0.minutes)
        }
        lateness = furthest.map { CalendarClock(bucket: $0.0, buckets: $0.1) }

        let known = plan.schema.types.count
        let programs = (0...known).map { $0 < known ? UInt64(1) << UInt64($0) : 0 }
        func concerns(_ events: UInt64?, _ type: UInt64) -> Bool { events.map { $0 & type != 0 } ?? true }
        let lasts = LastPlaces(plan)
        selected = Table(
            programs.map { type in
                let lanes = plan.calendars.flatMap(\.lanes).filter { concerns($0.events, type) }.map(\.selection)
                let places = lasts.others.map { plan.fixed[$0] }.filter { concerns($0.events, type) }.map(\.selection)
                return Set(lanes + places).sorted().map { UInt16($0) }
            })
        rows = Table(
            programs.flatMap { type in
                plan.calendars.map { calendar in
                    calendar.lanes.indices.filter { concerns(calendar.lanes[$0].events, type) }.map {
                        RowOperation(
                            selection: UInt16(calendar.lanes[$0].selection), kind: calendar.lanes[$0].kind,
                            offset: UInt16(calendar.offsets[$0]))
                    }
                }
            })
        fixed = Table(
            programs.map { type in
                lasts.others.filter { concerns(plan.fixed[$0].events, type) }.map {
                    FixedOperation(
                        selection: UInt16(plan.fixed[$0].selection), kind: plan.fixed[$0].kind,
                        time: UInt32(plan.timeOffsets[$0]), value: UInt32(plan.valueOffsets[$0]),
                        halfLife: plan.fixed[$0].halfLife)
                }
            })
        lastNumbers = Table(
            programs.map { type in lasts.numbers.filter { concerns(plan.fixed[$0.0].events, type) }.map(\.1) })
        lastIndicators = Table(
            programs.map { type in lasts.indicators.filter { concerns(plan.fixed[$0.0].events, type) }.map(\.1) })
        counted = Table(
            programs.map { type in
                plan.distincts.indices.filter { concerns(plan.distincts[$0].events, type) }.map { UInt16($0) }
            })
        reader = FeatureReader(plan)
        largestRecord = try Self.largestRecord(plan)
    }

    /// The fixed places of a plan by the way in which they are kept up, each with its index in the plan.
    private struct LastPlaces {
        var numbers: [(Int, LastNumber)] = []
        var indicators: [(Int, LastIndicator)] = []
        var others: [Int] = []

        init(_ plan: FeaturePlanBuilder) {
            for (i, fixed) in plan.fixed.enumerated() {
                let selection = plan.selections[fixed.selection]
                let place = LastPlace(time: UInt32(plan.timeOffsets[i]), value: UInt32(plan.valueOffsets[i]))
                switch selection.reading {
                case .number(let field) where fixed.kind == .last && selection.condition == nil:
                    numbers.append((i, LastNumber(field: UInt16(field), place: place)))
                case .indicator(let test) where fixed.kind == .last && selection.condition == nil:
                    indicators.append((i, LastIndicator(test: test, place: place)))
                default:
                    others.append(i)
                }
            }
        }
    }

    /// A row before anything was counted: zeros, and NaN where a minimum or a maximum will stand.
    private static func template(_ calendar: FeaturePlanBuilder.Calendar) -> [UInt8] {
        var row = [UInt8](repeating: 0, count: calendar.rowBytes)
        for (lane, offset) in zip(calendar.lanes, calendar.offsets) where lane.kind == .min || lane.kind == .max {
            withUnsafeBytes(of: Float.nan.bitPattern) { row.replaceSubrange(offset..<offset + 4, with: $0) }
        }
        return row
    }

    /// A record may take 256 KiB: it is one message of the changelog, where a broker takes 1 MB.
    private static func largestRecord(_ plan: FeaturePlanBuilder) throws(ImpactError) -> Int {
        let rows = plan.calendars.map { $0.buckets * $0.rowBytes }
        let tables = plan.distincts.map { $0.capacity * 8 }
        let bytes =
            plan.fixedEnd + plan.specification.deduplicationIDs * 8 + rows.reduce(0, +) + tables.reduce(0, +)
        guard bytes <= 256 * 1_024 else {
            let widest = plan.calendars.max { $0.buckets * $0.rowBytes < $1.buckets * $1.rowBytes }
            let hint =
                widest.map {
                    "; the windows with buckets of \($0.bucket) take \($0.buckets) rows of \($0.rowBytes) bytes: "
                        + "give them wider buckets"
                } ?? ""
            throw ImpactError(
                .badInput, code: "record_too_large",
                "the features need up to \(bytes) bytes per user, more than 262144\(hint)")
        }
        return bytes
    }
}
