import Base
import Events
import JSON

extension FeatureSpecification {
    /// Most features of a specification.
    public static let maxFeatures = 1_024

    /// Reads a specification.
    ///
    /// - Parameters:
    ///   - json: at most 1 MiB.
    ///   - name: what the text is called in errors, a file's path.
    /// - Throws: `badInput` that names the feature and the key at fault and says what is allowed.
    public init(json: [UInt8], name: String = "feature specification") throws(ImpactError) {
        try self.init(JSONValue(parsing: json, name: name, maxBytes: 1 << 20, maxDepth: 8), name: name)
    }

    /// Reads a specification that is part of a larger document.
    public init(_ document: JSONValue, name: String = "feature specification") throws(ImpactError) {
        let top = try SpecificationObject(document, name: name, keys: ["features", "deduplication"])
        guard let list = try top.required("features").array else {
            throw top.wrongType("features", "an array of features")
        }
        guard !list.isEmpty, list.count <= Self.maxFeatures else {
            throw top.error(
                "out_of_range", "features", "there are \(list.count) features; allowed are 1 to \(Self.maxFeatures)")
        }
        var features: [Feature] = []
        for (i, value) in list.enumerated() {
            features.append(try Self.feature(value, name: name, number: i + 1))
        }
        var ids = 16
        if let value = top["deduplication"] {
            let section = try SpecificationObject(value, name: "\(name): deduplication", keys: ["ids"])
            ids = try section.integer("ids", in: 0...64) ?? ids
        }
        try Self.checkTogether(features, name: name)
        self.init(features: features, deduplicationIDs: ids)
    }

    /// Keys of each aggregate: those it needs, and those it may have.
    static func keys(_ aggregate: Aggregate) -> (needed: [String], optional: [String]) {
        switch aggregate {
        case .count: (["window"], ["bucket", "events", "field", "equals", "where"])
        case .sum, .mean, .min, .max: (["window", "field"], ["bucket", "events", "equals", "where"])
        case .last: (["field"], ["events", "equals", "where"])
        case .recency: ([], ["events", "field", "equals", "where"])
        case .distinct: (["window", "field"], ["bucket", "events", "where", "capacity"])
        case .decayedCount: (["half_life"], ["events", "field", "equals", "where"])
        case .decayedSum: (["half_life", "field"], ["events", "equals", "where"])
        case .ratio: (["numerator", "denominator"], [])
        case .add, .subtract, .multiply, .divide, .average, .choose: (["of"], [])
        case .scale: (["of", "from", "to"], [])
        case .clip: (["of"], ["least", "most"])
        case .compare: (["of", "is"], [])
        }
    }

    private static let allKeys = [
        "name", "aggregate", "events", "field", "equals", "where", "window", "bucket", "half_life", "capacity",
        "numerator", "denominator", "default", "of", "from", "to", "least", "most", "is",
    ]

    private static func feature(_ value: JSONValue, name: String, number: Int) throws(ImpactError) -> Feature {
        let title = value["name"]?.string.map { " \"\(String($0.prefix(100)))\"" } ?? ""
        let object = try SpecificationObject(value, name: "\(name): feature \(number)\(title)", keys: allKeys)
        let aggregateName = try object.text(required: "aggregate")
        guard let aggregate = Aggregate(rawValue: aggregateName) else {
            throw object.error(
                "unknown_aggregate", "aggregate",
                "\"\(aggregateName)\" is not one of \(list(Aggregate.allCases.map(\.rawValue)))"
                    + object.suggestion(aggregateName, among: Aggregate.allCases.map(\.rawValue)))
        }
        let keys = keys(aggregate)
        try object.check(aggregate: aggregateName, needed: keys.needed, optional: keys.optional)
        var feature = Feature(name: try object.name("name"), aggregate: aggregate)
        feature.events = try object.events("events")
        feature.field = try object.field("field")
        feature.equals = try object.constant("equals")
        feature.condition = try object.condition("where")
        feature.capacity = try object.integer("capacity", in: 1...256)
        if aggregate == .distinct, feature.capacity == nil { feature.capacity = 32 }
        feature.numerator = try object.optionalText("numerator")
        feature.denominator = try object.optionalText("denominator")
        feature.halfLife = try object.span("half_life", in: TimeSpan(minutes: 1) ... .days(365))
        if aggregate == .count || aggregate == .sum, object["window"] == .string("lifetime") {
            feature.isLifetime = true
            if object["bucket"] != nil {
                throw object.error("key_not_applicable", "bucket", "means nothing for a lifetime, which has no buckets")
            }
        } else {
            feature.window = try object.span("window", in: .hours(1) ... .days(90))
        }
        feature.operands = try object.operands("of")
        feature.low = try object.number(aggregate == .scale ? "from" : "least")
        feature.high = try object.number(aggregate == .scale ? "to" : "most")
        if let text = try object.optionalText("is") {
            guard let comparison = Comparison(rawValue: text) else {
                throw object.error(
                    "unknown_comparison", "is", "\"\(text)\" is not one of \(list(Comparison.allCases.map(\.rawValue)))"
                )
            }
            feature.comparison = comparison
        }
        feature.defaultValue = try object.number("default")
        if let window = feature.window {
            feature.bucket =
                try object.span("bucket", in: TimeSpan(minutes: 1)...window) ?? TimeSpan.defaultBucket(of: window)
            if let bucket = feature.bucket, window.minutes % bucket.minutes != 0 {
                throw object.error(
                    "invalid_bucket", "bucket", "a window of \(window) is not a multiple of buckets of \(bucket)")
            }
        }
        try check(feature, object)
        return feature
    }

    /// What one feature's keys mean together.
    private static func check(_ feature: Feature, _ object: SpecificationObject) throws(ImpactError) {
        if let operands = feature.operands {
            let allowed: ClosedRange<Int> =
                switch feature.aggregate {
                case .subtract, .divide, .compare: 2...2
                case .scale, .clip: 1...1
                case .choose: 1...64
                default: 2...64
                }
            guard allowed.contains(operands.count) else {
                throw object.error(
                    "out_of_range", "of",
                    "\(feature.aggregate.rawValue) takes \(allowed.lowerBound)"
                        + (allowed.count > 1 ? " to \(allowed.upperBound)" : "") + ", not \(operands.count)")
            }
            if let low = feature.low, let high = feature.high, !(low < high) {
                throw object.error("out_of_range", "of", "its upper end \(high) must be above its lower end \(low)")
            }
        }
        if feature.equals != nil, feature.field == nil {
            throw object.error("missing_key", "equals", "is compared with a field: add \"field\"")
        }
        if feature.aggregate.needsField, feature.aggregate != .distinct, feature.equals == nil,
            let field = feature.field, textFields.contains(field)
        {
            throw object.error(
                "field_not_number", "field",
                "\"\(field)\" is a text, and \(feature.aggregate.rawValue) needs a number; with \"equals\" it is 1 or 0"
            )
        }
    }

    /// What the features mean together.
    private static func checkTogether(_ features: [Feature], name: String) throws(ImpactError) {
        var numbers: [String: Int] = [:]
        for (i, feature) in features.enumerated() {
            if let first = numbers.updateValue(i + 1, forKey: feature.name) {
                throw ImpactError(
                    .badInput, code: "duplicate_feature",
                    "\(name): feature \(i + 1): the name \"\(feature.name)\" is that of feature \(first) too")
            }
        }
        for (i, feature) in features.enumerated() {
            let object = SpecificationObject(name: "\(name): feature \(i + 1) \"\(feature.name)\"")
            for case .feature(let other) in feature.operands ?? [] {
                guard let number = numbers[other] else {
                    throw object.error(
                        "unknown_feature", "of",
                        "there is no feature \"\(other)\"" + object.suggestion(other, among: features.map(\.name)))
                }
                guard number <= i else {
                    throw object.error("feature_below", "of", "\"\(other)\" must stand above this feature")
                }
            }
        }
        for (i, feature) in features.enumerated() where feature.aggregate == .ratio {
            for (key, other) in [("numerator", feature.numerator), ("denominator", feature.denominator)] {
                let object = SpecificationObject(name: "\(name): feature \(i + 1) \"\(feature.name)\"")
                guard let other, let number = numbers[other] else {
                    let known = features.filter { $0.aggregate != .ratio && !$0.aggregate.isArithmetic }.map(\.name)
                    throw object.error(
                        "unknown_feature", key,
                        "there is no feature \"\(other ?? "")\"" + object.suggestion(other ?? "", among: known))
                }
                guard features[number - 1].aggregate != .ratio else {
                    throw object.error("ratio_of_ratio", key, "\"\(other)\" is a ratio itself")
                }
                guard !features[number - 1].aggregate.isArithmetic else {
                    throw object.error(
                        "ratio_of_arithmetic", key, "\"\(other)\" is arithmetic itself; divide by it with \"divide\"")
                }
            }
        }
        let own = Set(features.flatMap { $0.events ?? [] }).subtracting(EventSchema.contractTypes)
        guard own.count <= 48 else {
            throw ImpactError(
                .badInput, code: "too_many_event_types",
                "\(name): the features name \(own.count) event types of their own; at most 48 are allowed")
        }
    }

    static let textFields = ["campaign_id", "channel", "currency"]

    static func list(_ names: [String]) -> String { names.joined(separator: ", ") }
}
