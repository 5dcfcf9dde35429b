import Base
import Events

/// Which numbers a model reads about a user, and how they follow from the user's events.
///
/// Part of the model file, so that training, streaming, replay and the API compute the same numbers.
/// Read it with ``init(json:)``; the meaning of every key is in docs/features.md.
public struct FeatureSpecification: Sendable, Equatable {
    /// The features, in the order of the model's columns.
    public let features: [Feature]
    /// How many ids of a user are remembered to recognise duplicates: 0 … 64.
    public let deduplicationIDs: Int

    public init(features: [Feature], deduplicationIDs: Int) {
        self.features = features
        self.deduplicationIDs = deduplicationIDs
    }

    /// The columns' names.
    public var names: [String] { features.map(\.name) }

    /// How many numbers per row has.
    public var count: Int { features.count }

    /// One column.
    public struct Feature: Sendable, Equatable {
        public var name: String
        public var aggregate: Aggregate
        /// Types of events that count, sorted; nil is every type.
        public var events: [String]?
        /// `value`, `campaign_id`, `channel`, `currency` or `properties.NAME`.
        public var field: String?
        /// What the field is compared with.
        public var equals: Constant?
        /// A further condition on the event (`where`).
        public var condition: Condition?
        public var window: TimeSpan?
        public var bucket: TimeSpan?
        public var halfLife: TimeSpan?
        /// Places of a `distinct` table.
        public var capacity: Int?
        public var numerator: String?
        public var denominator: String?
        /// What stands in the place of NaN.
        public var defaultValue: Double?
        /// A `count` or `sum` over all of a user's events (`"window": "lifetime"`).
        public var isLifetime = false
        /// What arithmetic is done with: features that stand above this one, and constants.
        public var operands: [Operand]?
        /// Ends of `scale` (`from`, `to`) and `clip` (`least`, `most`).
        public var low: Double?
        public var high: Double?
        /// How `compare` compares.
        public var comparison: Comparison?

        public init(name: String, aggregate: Aggregate) {
            self.name = name
            self.aggregate = aggregate
        }
    }

    /// How events become a number.
    public enum Aggregate: String, Sendable, CaseIterable {
        // The texts stand in specifications and model files.
        case count = "count"
        case sum = "sum"
        case mean = "mean"
        case min = "min"
        case max = "max"
        case last = "last"
        case recency = "recency"
        case distinct = "distinct"
        case decayedCount = "decayed_count"
        case decayedSum = "decayed_sum"
        case ratio = "ratio"
        // Arithmetic of other features; see ``FeatureArithmetic``.
        case add = "add"
        case subtract = "subtract"
        case multiply = "multiply"
        case divide = "divide"
        case average = "average"
        case scale = "scale"
        case clip = "clip"
        case compare = "compare"
        case choose = "choose"

        /// Whether the aggregate looks at a window of time.
        var isWindowed: Bool {
            switch self {
            case .count, .sum, .mean, .min, .max, .distinct: true
            case .last, .recency, .decayedCount, .decayedSum, .ratio: false
            case .add, .subtract, .multiply, .divide, .average, .scale, .clip, .compare, .choose: false
            }
        }

        /// Whether the feature follows from other features of the row and not from events.
        var isArithmetic: Bool {
            switch self {
            case .add, .subtract, .multiply, .divide, .average, .scale, .clip, .compare, .choose: true
            default: false
            }
        }

        var isDecayed: Bool { self == .decayedCount || self == .decayedSum }

        /// Whether the aggregate is about a field's values and not about events alone.
        var needsField: Bool {
            switch self {
            case .sum, .mean, .min, .max, .last, .distinct, .decayedSum: true
            case .count, .recency, .decayedCount, .ratio: false
            case .add, .subtract, .multiply, .divide, .average, .scale, .clip, .compare, .choose: false
            }
        }
    }

    /// A value to compare a field with.
    public enum Constant: Sendable, Hashable {
        case text(String)
        case number(Double)
        case bool(Bool)
    }

    /// `{"field": …, "equals": …}`.
    public struct Test: Sendable, Hashable {
        public var field: String
        public var equals: Constant
    }

    /// A test; `{"or": [tests]}`; or `{"and": [tests and ors]}`: every group must have a test that passes.
    public struct Condition: Sendable, Hashable {
        public var groups: [[Test]]

        /// Tests of all groups at the most.
        public static let mostTests = 4
    }

    /// What arithmetic is done with.
    public enum Operand: Sendable, Hashable {
        case feature(String)
        case number(Double)
    }

    public enum Comparison: String, Sendable, CaseIterable {
        case above = ">"
        case atLeast = ">="
        case below = "<"
        case atMost = "<="
        case equal = "="
    }
}
