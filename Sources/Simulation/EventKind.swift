/// The event types of the simulation, numbered as in `EventSchema.contractTypes`.
package enum EventKind: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    case adView, click, pageView, addToCart, purchase, refund, treatment

    /// The contract's name of the type.
    package var name: StaticString {
        switch self {
        case .adView: "ad_view"
        case .click: "click"
        case .pageView: "page_view"
        case .addToCart: "add_to_cart"
        case .purchase: "purchase"
        case .refund: "refund"
        case .treatment: "treatment"
        }
    }
}
