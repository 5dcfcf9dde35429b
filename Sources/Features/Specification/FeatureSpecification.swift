import Diagnostics
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

    package init(features: [Feature], deduplicationIDs: Int) {
        self.features = features
        self.deduplicationIDs = deduplicationIDs
    }

    /// The columns' names.
    public var names: [String] { features.map(\.name) }

    /// How many numbers a row has.
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

        package init(name: String, aggregate: Aggregate) {
            self.name = name
            self.aggregate = aggregate
        }
    }

    /// How events become a number.
    public enum Aggregate: String, Sendable, CaseIterable {
        case count, sum, mean, min, max, last, recency, distinct
        case decayedCount = "decayed_count"
        case decayedSum = "decayed_sum"
        case ratio

        /// Whether the aggregate looks at a window of time.
        var isWindowed: Bool {
            switch self {
            case .count, .sum, .mean, .min, .max, .distinct: true
            case .last, .recency, .decayedCount, .decayedSum, .ratio: false
            }
        }

        var isDecayed: Bool { self == .decayedCount || self == .decayedSum }

        /// Whether the aggregate is about a field's values and not about events alone.
        var needsField: Bool {
            switch self {
            case .sum, .mean, .min, .max, .last, .distinct, .decayedSum: true
            case .count, .recency, .decayedCount, .ratio: false
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
    public struct Condition: Sendable, Hashable {
        public var field: String
        public var equals: Constant
    }
}
