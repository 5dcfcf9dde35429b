import Base
import Events

/// Lays out the records of a specification; what it finds is packed into a ``FeatureProgram``.
struct FeaturePlanBuilder {
    /// What a lane of a row keeps of the selected numbers of one bucket.
    enum LaneKind: UInt8, BitwiseCopyable {
        case count, sum, min, max

        /// Part of the state's fingerprint: a change makes all stored state unreadable.
        var stored: String {
            switch self {
            case .count: "count"
            case .sum: "sum"
            case .min: "min"
            case .max: "max"
            }
        }
    }

    /// A number kept in each row of a calendar.
    struct Lane: Hashable {
        let events: UInt64?
        let selection: Int
        let kind: LaneKind
    }

    /// Rows of one bucket width, for as many buckets as the longest of its windows.
    struct Calendar {
        let bucket: TimeSpan
        var buckets: Int
        var lanes: [Lane] = []
        /// Byte offsets of the lanes in a row, and a row's size.
        var offsets: [Int] = []
        var rowBytes = 0
    }

    /// The values of a `distinct` feature.
    struct Distinct {
        let events: UInt64?
        let condition: EventCondition?
        let field: Int
        let bucket: TimeSpan
        let buckets: Int
        let capacity: Int
    }

    /// What a fixed place of the record keeps.
    enum FixedKind: UInt8, BitwiseCopyable {
        case recency, last, decayed

        /// Part of the state's fingerprint: a change makes all stored state unreadable.
        var stored: String {
            switch self {
            case .recency: "recency"
            case .last: "last"
            case .decayed: "decayed"
            }
        }
    }

    /// A time, and for `last` and `decayed` a value, outside the calendars.
    struct Fixed: Hashable {
        let events: UInt64?
        let selection: Int
        let kind: FixedKind
        /// Milliseconds, for `decayed`.
        let halfLife: Int64
    }

    /// How a feature is read.
    enum Source {
        case lane(calendar: Int, lane: Int, buckets: Int)
        case mean(calendar: Int, sum: Int, count: Int, buckets: Int)
        case distinct(Int)
        case fixed(Int)
        case ratio(numerator: Int, denominator: Int)
        case arithmetic
    }

    let specification: FeatureSpecification
    let schema: EventSchema
    var selections: [Selection] = []
    var calendars: [Calendar] = []
    var distincts: [Distinct] = []
    var fixed: [Fixed] = []
    var sources: [Source] = []
    /// Byte offsets in the fixed part: of each fixed place's time, and of its value.
    var timeOffsets: [Int] = []
    var valueOffsets: [Int] = []
    var fixedEnd = 0

    init(specification: FeatureSpecification, schema: EventSchema) {
        self.specification = specification
        self.schema = schema
    }

    var listCount: Int { 1 + calendars.count + distincts.count }

    mutating func build() throws(ImpactError) {
        for feature in specification.features { sources.append(try source(of: feature)) }
        layOut()
    }

    private mutating func source(of feature: FeatureSpecification.Feature) throws(ImpactError) -> Source {
        if feature.aggregate.isArithmetic { return .arithmetic }
        let events = try mask(feature)
        if feature.isLifetime {
            // A decayed sum that never decays.
            return try fixed(.decayed, feature, events, halfLife: 0)
        }
        switch feature.aggregate {
        case .ratio:
            let names = specification.names
            return .ratio(
                numerator: names.firstIndex(of: feature.numerator ?? "") ?? 0,
                denominator: names.firstIndex(of: feature.denominator ?? "") ?? 0)
        case .distinct:
            let bucket = feature.bucket ?? TimeSpan(minutes: 1)
            distincts.append(
                Distinct(
                    events: events, condition: try condition(feature), field: try index(feature, feature.field ?? ""),
                    bucket: bucket, buckets: Self.buckets(feature), capacity: feature.capacity ?? 32))
            return .distinct(distincts.count - 1)
        case .recency: return try fixed(.recency, feature, events)
        case .last: return try fixed(.last, feature, events)
        case .decayedCount, .decayedSum: return try fixed(.decayed, feature, events)
        case .count: return try windowed(feature, events) { lane in .lane(lane(.count)) }
        case .sum: return try windowed(feature, events) { lane in .lane(lane(.sum)) }
        case .min: return try windowed(feature, events) { lane in .lane(lane(.min)) }
        case .max: return try windowed(feature, events) { lane in .lane(lane(.max)) }
        case .mean: return try windowed(feature, events) { lane in .mean(sum: lane(.sum), count: lane(.count)) }
        case .add, .subtract, .multiply, .divide, .average, .scale, .clip, .compare, .choose: return .arithmetic
        }
    }

    private mutating func fixed(
        _ kind: FixedKind, _ feature: FeatureSpecification.Feature, _ events: UInt64?, halfLife: Int64? = nil
    ) throws(ImpactError) -> Source {
        let place = Fixed(
            events: events, selection: try selection(feature), kind: kind,
            halfLife: halfLife ?? feature.halfLife?.milliseconds ?? 1)
        return .fixed(Self.place(place, in: &fixed))
    }

    /// What a windowed aggregate reads of its calendar.
    private enum Reading {
        case lane(Int)
        case mean(sum: Int, count: Int)
    }

    /// - Parameter reading: the lanes that the aggregate needs, in the order in which rows hold them.
    private mutating func windowed(
        _ feature: FeatureSpecification.Feature, _ events: UInt64?, reading: ((LaneKind) -> Int) -> Reading
    ) throws(ImpactError) -> Source {
        let selection = try selection(feature)
        let buckets = Self.buckets(feature)
        let bucket = feature.bucket ?? TimeSpan(minutes: 1)
        let calendar =
            calendars.firstIndex { $0.bucket == bucket }
            ?? {
                calendars.append(Calendar(bucket: bucket, buckets: buckets))
                return calendars.count - 1
            }()
        calendars[calendar].buckets = max(calendars[calendar].buckets, buckets)
        var lanes = calendars[calendar].lanes
        let reads = reading { kind in
            Self.place(Lane(events: events, selection: selection, kind: kind), in: &lanes)
        }
        calendars[calendar].lanes = lanes
        switch reads {
        case .lane(let lane): return .lane(calendar: calendar, lane: lane, buckets: buckets)
        case .mean(let sum, let count): return .mean(calendar: calendar, sum: sum, count: count, buckets: buckets)
        }
    }

    /// The item's place, which is a new one unless an equal item is there.
    private static func place<Item: Hashable>(_ item: Item, in items: inout [Item]) -> Int {
        if let place = items.firstIndex(of: item) { return place }
        items.append(item)
        return items.count - 1
    }

    private static func buckets(_ feature: FeatureSpecification.Feature) -> Int {
        Int((feature.window?.minutes ?? 1) / (feature.bucket?.minutes ?? 1))
    }

    /// Assigns bytes: 4-byte values together, so that the padding is at most 4 bytes in each part.
    private mutating func layOut() {
        for c in calendars.indices {
            var offset = 4
            calendars[c].offsets = [Int](repeating: 0, count: calendars[c].lanes.count)
            for (i, lane) in calendars[c].lanes.enumerated() where lane.kind != .sum {
                calendars[c].offsets[i] = offset
                offset += 4
            }
            offset = RecordLayout.padded(offset)
            for (i, lane) in calendars[c].lanes.enumerated() where lane.kind == .sum {
                calendars[c].offsets[i] = offset
                offset += 8
            }
            calendars[c].rowBytes = offset
        }
        var offset = RecordLayout.padded(RecordLayout.counts + 2 * listCount)
        timeOffsets = [Int](repeating: 0, count: fixed.count)
        valueOffsets = timeOffsets
        for i in fixed.indices {
            timeOffsets[i] = offset
            offset += 8
        }
        for i in fixed.indices where fixed[i].kind == .decayed {
            valueOffsets[i] = offset
            offset += 8
        }
        for i in fixed.indices where fixed[i].kind == .last {
            valueOffsets[i] = offset
            offset += 4
        }
        fixedEnd = RecordLayout.padded(offset)
    }
}
