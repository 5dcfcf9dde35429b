import Base
import Events

/// Which numbers a model reads about a user, and how they follow from the user's events.
///
/// Part of the model file, so that training, streaming, replay and the API compute the same numbers.
/// Read it with ``init(json:)``; the meaning of every key is in docs/features.md.
package struct FeatureSpecification: Sendable, Equatable {
    /// The features, in the order of the model's columns.
    package let features: [Feature]
    /// How many ids of a user are remembered to recognise duplicates: 0 … 64.
    package let deduplicationIDs: Int

    package init(features: [Feature], deduplicationIDs: Int) {
        self.features = features
        self.deduplicationIDs = deduplicationIDs
    }

    /// The columns' names.
    package var names: [String] { features.map(\.name) }

    /// How many numbers per row has.
    package var count: Int { features.count }

    /// One column.
    package struct Feature: Sendable, Equatable {
        package var name: String
        package var aggregate: Aggregate
        /// Types of events that count, sorted; nil is every type.
        package var events: [String]?
        /// `value`, `campaign_id`, `channel`, `currency` or `properties.NAME`.
        package var field: String?
        /// What the field is compared with.
        package var equals: Constant?
        /// A further condition on the event (`where`).
        package var condition: Condition?
        package var window: TimeSpan?
        package var bucket: TimeSpan?
        package var halfLife: TimeSpan?
        /// Places of a `distinct` table.
        package var capacity: Int?
        package var numerator: String?
        package var denominator: String?
        /// What stands in the place of NaN.
        package var defaultValue: Double?
        /// A `count` or `sum` over all of a user's events (`"window": "lifetime"`).
        package var isLifetime = false
        /// What arithmetic is done with: features that stand above this one, and constants.
        package var operands: [Operand]?
        /// Ends of `scale` (`from`, `to`) and `clip` (`least`, `most`).
        package var low: Double?
        package var high: Double?
        /// How `compare` compares.
        package var comparison: Comparison?

        package init(name: String, aggregate: Aggregate) {
            self.name = name
            self.aggregate = aggregate
        }
    }

    /// How events become a number.
    package enum Aggregate: String, Sendable, CaseIterable {
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
    package enum Constant: Sendable, Hashable {
        case text(String)
        case number(Double)
        case bool(Bool)
    }

    /// `{"field": …, "equals": …}`.
    package struct Test: Sendable, Hashable {
        package var field: String
        package var equals: Constant
    }

    /// A test; `{"or": [tests]}`; or `{"and": [tests and ors]}`: every group must have a test that passes.
    package struct Condition: Sendable, Hashable {
        package var groups: [[Test]]

        /// Tests of all groups at the most.
        package static let mostTests = 4
    }

    /// What arithmetic is done with.
    package enum Operand: Sendable, Hashable {
        case feature(String)
        case number(Double)
    }

    package enum Comparison: String, Sendable, CaseIterable {
        case above = ">"
        case atLeast = ">="
        case below = "<"
        case atMost = "<="
        case equal = "="
    }
}
