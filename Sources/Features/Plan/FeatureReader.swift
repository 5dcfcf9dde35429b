/// Reads the features out of a record: one pass over its rows, then ratios and defaults.
final class FeatureReader: Sendable {
    /// How a feature follows from the rows of a calendar.
    enum RowKind: UInt8, BitwiseCopyable, Sendable { case count, sum, mean, min, max }

    /// Lanes of one kind and one window that are read together while the rows are walked once: up to four counts, two
    /// sums, a mean's sum and count, one minimum or maximum. A place that is not needed repeats the first.
    struct RowRead: BitwiseCopyable, Sendable {
        typealias Four = (UInt16, UInt16, UInt16, UInt16)
        let kind: RowKind
        let buckets: UInt32
        let offsets: Four
        let features: Four
    }

    /// One lane to read, before lanes are put together.
    private struct LaneRead {
        let kind: RowKind
        let buckets: Int
        let offsets: [Int]
        let feature: Int
    }

    /// A feature that follows from a fixed place alone, with what stands for it when it is missing.
    struct FixedRead: BitwiseCopyable, Sendable {
        let feature: UInt16
        let time: UInt32
        let value: UInt32
        let missing: Float
        /// Milliseconds, for `decayed`.
        let halfLife: Int64
    }

    struct Ratio: BitwiseCopyable, Sendable {
        let feature: UInt16
        let numerator: UInt16
        let denominator: UInt16
    }

    struct Default: BitwiseCopyable, Sendable {
        let feature: UInt16
        let value: Float
    }

    let rows: FeatureProgram.Table<RowRead>
    let distinct: PlainArray<UInt16>
    let lasts: PlainArray<FixedRead>
    let recencies: PlainArray<FixedRead>
    let decayed: PlainArray<FixedRead>
    let ratios: PlainArray<Ratio>
    /// Defaults of means, sums and extremes, and of ratios. Counts are never missing; fixed places have their own.
    let defaults: PlainArray<Default>
    let ratioDefaults: PlainArray<Default>
    let arithmetic: FeatureArithmetic

    init(_ plan: FeaturePlanBuilder) {
        var rows = [[LaneRead]](repeating: [], count: plan.calendars.count)
        var distinct = [UInt16](repeating: 0, count: plan.distincts.count)
        var fixed: [FeaturePlanBuilder.FixedKind: [FixedRead]] = [:]
        var ratios: [Ratio] = []
        var defaults: [[Default]] = [[], []]
        for (i, source) in plan.sources.enumerated() {
            let feature = UInt16(i)
            let defaultValue = plan.specification.features[i].defaultValue.map { Float($0) }
            if case .arithmetic = source { continue }
            var isRatio = false
            var canBeMissing = true
            switch source {
            case .lane(let calendar, let lane, let buckets):
                let kind: RowKind =
                    switch plan.calendars[calendar].lanes[lane].kind {
                    case .count: .count
                    case .sum: .sum
                    case .min: .min
                    case .max: .max
                    }
                canBeMissing = kind != .count
                let offset = plan.calendars[calendar].offsets[lane]
                rows[calendar].append(LaneRead(kind: kind, buckets: buckets, offsets: [offset], feature: i))
            case .mean(let calendar, let sum, let count, let buckets):
                let offsets = plan.calendars[calendar].offsets
                rows[calendar].append(
                    LaneRead(kind: .mean, buckets: buckets, offsets: [offsets[sum], offsets[count]], feature: i))
            case .distinct(let table):
                canBeMissing = false
                distinct[table] = feature
            case .fixed(let place):
                canBeMissing = false
                fixed[plan.fixed[place].kind, default: []].append(
                    FixedRead(
                        feature: feature, time: UInt32(plan.timeOffsets[place]),
                        value: UInt32(plan.valueOffsets[place]), missing: defaultValue ?? .nan,
                        halfLife: plan.fixed[place].halfLife))
            case .ratio(let numerator, let denominator):
                isRatio = true
                ratios.append(
                    Ratio(feature: feature, numerator: UInt16(numerator), denominator: UInt16(denominator)))
            case .arithmetic: break
            }
            if let defaultValue, canBeMissing {
                defaults[isRatio ? 1 : 0].append(Default(feature: feature, value: defaultValue))
            }
        }
        self.rows = FeatureProgram.Table(rows.map(Self.together))
        self.distinct = PlainArray(distinct)
        lasts = PlainArray(fixed[.last] ?? [])
        recencies = PlainArray(fixed[.recency] ?? [])
        decayed = PlainArray(fixed[.decayed] ?? [])
        self.ratios = PlainArray(ratios)
        self.defaults = PlainArray(defaults[0])
        ratioDefaults = PlainArray(defaults[1])
        arithmetic = FeatureArithmetic(plan.specification)
    }
}

extension FeatureReader {
    /// Puts lanes of one kind and window together. Longest windows first: the first row of a window only moves on.
    private static func together(_ lanes: [LaneRead]) -> [RowRead] {
        var reads: [RowRead] = []
        let order = lanes.sorted { ($1.buckets, $0.kind.rawValue) < ($0.buckets, $1.kind.rawValue) }
        var rest = order[...]
        while let first = rest.first {
            let most = first.kind == .count ? 4 : first.kind == .sum ? 2 : 1
            let group = rest.prefix { $0.kind == first.kind && $0.buckets == first.buckets }.prefix(most)
            rest = rest.dropFirst(group.count)
            let offsets = first.kind == .mean ? first.offsets : group.map { $0.offsets[0] }
            func four(_ values: [Int]) -> RowRead.Four {
                func at(_ i: Int) -> UInt16 { UInt16(i < values.count ? values[i] : values[0]) }
                return (at(0), at(1), at(2), at(3))
            }
            reads.append(
                RowRead(
                    kind: first.kind, buckets: UInt32(first.buckets), offsets: four(offsets),
                    features: four(group.map(\.feature))))
        }
        return reads
    }
}

extension FeatureReader {
    /// The reader as bare pointers, good while it lives.
    struct View: BitwiseCopyable {
        let rows: FeatureProgram.TableView<RowRead>
        let distinct: UnsafePointer<UInt16>
        let lasts: UnsafeBufferPointer<FixedRead>
        let recencies: UnsafeBufferPointer<FixedRead>
        let decayed: UnsafeBufferPointer<FixedRead>
        let ratios: UnsafeBufferPointer<Ratio>
        let defaults: UnsafeBufferPointer<Default>
        let ratioDefaults: UnsafeBufferPointer<Default>
        let operations: UnsafeBufferPointer<FeatureArithmetic.Operation>
        let operands: UnsafePointer<FeatureArithmetic.Operand>

        init(_ reader: FeatureReader) {
            rows = reader.rows.view
            distinct = reader.distinct.base
            lasts = reader.lasts.view
            recencies = reader.recencies.view
            decayed = reader.decayed.view
            ratios = reader.ratios.view
            defaults = reader.defaults.view
            ratioDefaults = reader.ratioDefaults.view
            operations = reader.arithmetic.operations.view
            operands = reader.arithmetic.operands.base
        }
    }
}
