/// Reads the features out of a record: one pass over its rows, then ratios and defaults.
final class FeatureReader: Sendable {
    /// How a feature follows from the rows of a calendar.
    enum RowKind: UInt8, BitwiseCopyable, Sendable { case count, sum, mean, min, max }

    struct RowRead: BitwiseCopyable, Sendable {
        let kind: RowKind
        /// The lane, and of a mean the lane of its count.
        let offset: UInt16
        let second: UInt16
        let feature: UInt16
        let buckets: UInt32
    }

    struct FixedRead: BitwiseCopyable, Sendable {
        let kind: FeaturePlanBuilder.FixedKind
        let feature: UInt16
        let time: UInt32
        let value: UInt32
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
    let fixed: PlainArray<FixedRead>
    let ratios: PlainArray<Ratio>
    /// Defaults of features that are no ratios, and of ratios.
    let defaults: PlainArray<Default>
    let ratioDefaults: PlainArray<Default>

    init(_ plan: FeaturePlanBuilder) {
        var rows = [[RowRead]](repeating: [], count: plan.calendars.count)
        var distinct = [UInt16](repeating: 0, count: plan.distincts.count)
        var fixed: [FixedRead] = []
        var ratios: [Ratio] = []
        var defaults: [[Default]] = [[], []]
        for (i, source) in plan.sources.enumerated() {
            let feature = UInt16(i)
            var isRatio = false
            switch source {
            case .lane(let calendar, let lane, let buckets):
                let kind: RowKind =
                    switch plan.calendars[calendar].lanes[lane].kind {
                    case .count: .count
                    case .sum: .sum
                    case .min: .min
                    case .max: .max
                    }
                rows[calendar].append(
                    RowRead(
                        kind: kind, offset: UInt16(plan.calendars[calendar].offsets[lane]), second: 0,
                        feature: feature, buckets: UInt32(buckets)))
            case .mean(let calendar, let sum, let count, let buckets):
                let offsets = plan.calendars[calendar].offsets
                rows[calendar].append(
                    RowRead(
                        kind: .mean, offset: UInt16(offsets[sum]), second: UInt16(offsets[count]), feature: feature,
                        buckets: UInt32(buckets)))
            case .distinct(let table):
                distinct[table] = feature
            case .fixed(let place):
                fixed.append(
                    FixedRead(
                        kind: plan.fixed[place].kind, feature: feature, time: UInt32(plan.timeOffsets[place]),
                        value: UInt32(plan.valueOffsets[place]), halfLife: plan.fixed[place].halfLife))
            case .ratio(let numerator, let denominator):
                isRatio = true
                ratios.append(
                    Ratio(feature: feature, numerator: UInt16(numerator), denominator: UInt16(denominator)))
            }
            if let value = plan.specification.features[i].defaultValue {
                defaults[isRatio ? 1 : 0].append(Default(feature: feature, value: Float(value)))
            }
        }
        // Windows of one length stand together, so that the first row of a window is looked for once.
        self.rows = FeatureProgram.Table(rows.map { $0.sorted { $0.buckets > $1.buckets } })
        self.distinct = PlainArray(distinct)
        self.fixed = PlainArray(fixed)
        self.ratios = PlainArray(ratios)
        self.defaults = PlainArray(defaults[0])
        ratioDefaults = PlainArray(defaults[1])
    }
}

extension FeatureReader {
    /// The reader as bare pointers, good while it lives.
    struct View: BitwiseCopyable {
        let rows: FeatureProgram.TableView<RowRead>
        let distinct: UnsafePointer<UInt16>
        let fixed: UnsafePointer<FixedRead>
        let fixedCount: Int
        let ratios: UnsafePointer<Ratio>
        let ratioCount: Int
        let defaults: UnsafePointer<Default>
        let defaultCount: Int
        let ratioDefaults: UnsafePointer<Default>
        let ratioDefaultCount: Int

        init(_ reader: FeatureReader) {
            rows = reader.rows.view
            distinct = reader.distinct.base
            fixed = reader.fixed.base
            fixedCount = reader.fixed.count
            ratios = reader.ratios.base
            ratioCount = reader.ratios.count
            defaults = reader.defaults.base
            defaultCount = reader.defaults.count
            ratioDefaults = reader.ratioDefaults.base
            ratioDefaultCount = reader.ratioDefaults.count
        }
    }
}
