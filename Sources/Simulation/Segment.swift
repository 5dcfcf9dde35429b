/// How people answer an ad, in the four classes of uplift modelling.
package enum Segment: UInt8, Sendable, CaseIterable {
    /// Buys because of the ad.
    case persuadable
    /// Buys with or without it.
    case sureThing
    /// Buys neither way.
    case lostCause
    /// Buys unless the ad disturbs.
    case sleepingDog

    /// `persuadable`, `sure_thing`, `lost_cause`, `sleeping_dog`.
    package var name: String {
        switch self {
        case .persuadable: "persuadable"
        case .sureThing: "sure_thing"
        case .lostCause: "lost_cause"
        case .sleepingDog: "sleeping_dog"
        }
    }
}

/// The probabilities of the principal strata (Frangakis and Rubin 2002) of one opportunity of a user: what the user
/// would do with the ad and without. The rest, up to 1, buys neither way.
package struct Strata: Sendable, Equatable, BitwiseCopyable {
    /// Buys only with the ad.
    package var persuaded: Double
    /// Buys either way.
    package var always: Double
    /// Buys only without the ad.
    package var disturbed: Double

    /// The conditional average treatment effect: P(buys | ad) − P(buys | no ad).
    package var effect: Double { persuaded - disturbed }
    /// P(buys | no ad).
    package var baseline: Double { always + disturbed }
    /// P(buys | ad).
    package var treated: Double { always + persuaded }

    package init(persuaded: Double, always: Double, disturbed: Double) {
        self.persuaded = persuaded
        self.always = always
        self.disturbed = disturbed
    }
}
