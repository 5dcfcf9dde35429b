/// What a reader extracts from each event beyond the contract's fixed fields, and which event types it knows by number.
///
/// Made from a feature specification (`FeatureSpecification.eventSchema`) so that the reader looks at nothing that
/// no feature needs.
public struct EventSchema: Sendable, Equatable {
    /// A field that a feature reads.
    public struct Field: Sendable, Hashable {
        /// `value`, `campaign_id`, `channel`, `currency`, or `properties.NAME`.
        public var path: String
        /// The JSON type the features can use; another type is missing, and counted. `null` is missing.
        public var expects: Expectation

        public init(_ path: String, expects: Expectation = .any) {
            self.path = path
            self.expects = expects
        }
    }

    /// Which JSON values a field may hold.
    public enum Expectation: Sendable, Hashable, BitwiseCopyable {
        /// A number or a truth value.
        case number
        /// A text.
        case text
        /// A number, a truth value or a text.
        case any
    }

    /// The types of the contract, in the order of their numbers.
    public static let contractTypes = [
        "ad_view", "click", "page_view", "add_to_cart", "purchase", "refund", "treatment",
    ]

    /// Fields in the order in which ``EventBatch/fields(_:)`` gives them.
    public let fields: [Field]
    /// Event types by number: the contract's first, then the user's own. At most 64.
    public let types: [String]

    /// - Parameter customTypes: types beyond the contract's that features or scoring name; duplicates are dropped.
    public init(fields: [Field] = [], customTypes: [String] = []) {
        self.fields = fields
        var types = Self.contractTypes
        for type in customTypes where !types.contains(type) { types.append(type) }
        precondition(types.count <= 64, "an event type set is a 64-bit mask")
        self.types = types
    }

    /// The number of a type, or nil for one the schema does not know.
    public func typeNumber(_ name: String) -> Int? { types.firstIndex(of: name) }
}
