/// The members of an event that the reader knows by name: the contract's, in the contract's order.
enum EventSlot: UInt8, CaseIterable, BitwiseCopyable {
    case id, userID, type, time, campaignID, channel, value, currency, treatment, properties
    case experimentID, arm, propensity

    /// Members of the event's own object: the slots up to `properties`; those after it belong to `treatment`.
    static let outer = allCases.filter { $0.rawValue <= EventSlot.properties.rawValue }
    static let inTreatment = allCases.filter { $0.rawValue > EventSlot.properties.rawValue }

    /// The member's name in JSON.
    var member: String {
        switch self {
        case .id: "id"
        case .userID: "user_id"
        case .type: "type"
        case .time: "time"
        case .campaignID: "campaign_id"
        case .channel: "channel"
        case .value: "value"
        case .currency: "currency"
        case .treatment: "treatment"
        case .properties: "properties"
        case .experimentID: "experiment_id"
        case .arm: "arm"
        case .propensity: "propensity"
        }
    }

    /// The name for a person, with the path.
    var name: String { Self.inTreatment.contains(self) ? "treatment.\(member)" : member }
}
