import Foundation
import Statistics

/// One person of the simulated population: traits that do not change during the trial.
///
/// A function of the seed and the index alone, so a population of any size costs no memory.
package struct TrialUser: Sendable, Equatable, BitwiseCopyable {
    /// What the person browses with.
    package enum Device: UInt8, Sendable, CaseIterable, BitwiseCopyable {
        case mobile, desktop, tablet
        /// The text in events: `Mobile`, `Desktop`, `Tablet`.
        package var name: StaticString {
            switch self {
            case .mobile: "Mobile"
            case .desktop: "Desktop"
            case .tablet: "Tablet"
            }
        }
    }

    /// Where the person came from first.
    package enum Channel: UInt8, Sendable, CaseIterable, BitwiseCopyable {
        case search, social, email, direct
        /// The text in events: `search`, `social`, `email`, `direct`.
        package var name: StaticString {
            switch self {
            case .search: "search"
            case .social: "social"
            case .email: "email"
            case .direct: "direct"
            }
        }
    }

    /// How often the person visits, relative to the average: log-normal, 0.2 to 4. In no event; seen in the counts.
    package let engagement: Double
    /// Whole days from the last purchase to the trial's start: exponential with mean 20, at most 120.
    package let recency: Int
    /// What the person spent before the trial, in cents: log-normal, median 67.00.
    package let historyCents: Int
    /// Whole days as a customer, 10 to 1499.
    package let tenure: Int
    package let device: Device
    package let newsletter: Bool
    package let acquiredBy: Channel

    /// The person of this index in the population of this seed.
    package init(seed: UInt64, index: Int) {
        var random = RandomStream(seed: seed, lane: UInt64(index))
        engagement = Self.engagement(random.normal())
        recency = min(Int(random.exponential(mean: 20)), 120)
        historyCents = Int((100 * min(max(exp(4.2 + 0.9 * random.normal()), 5), 5000)).rounded())
        tenure = 10 + random.below(1490)
        let device = random.uniform()
        self.device = device < 0.55 ? .mobile : device < 0.90 ? .desktop : .tablet
        newsletter = random.happens(0.35)
        let channel = random.uniform()
        acquiredBy = channel < 0.40 ? .search : channel < 0.70 ? .social : channel < 0.85 ? .email : .direct
    }

    /// The engagement alone, for choosing who visits next.
    static func engagement(seed: UInt64, index: Int) -> Double {
        var random = RandomStream(seed: seed, lane: UInt64(index))
        return engagement(random.normal())
    }

    private static func engagement(_ normal: Double) -> Double { min(max(exp(0.5 * normal), 0.2), mostEngaged) }

    /// The upper bound of ``engagement``.
    static let mostEngaged = 4.0
}

extension TrialUser {
    /// How near the person is to each class: a softmax of four scores.
    ///
    /// With r = recency / 20, v = ln(history / 67), d = tenure / 365, g = ln(engagement) and indicators in brackets:
    ///
    /// - persuadable: 1.5 [mobile and no newsletter] + 0.3 [social] + 0.6 g − 0.6
    /// - sure thing: 0.7 v − 0.3 r + 0.3
    /// - lost cause: 0.3 r − 0.7 v − 0.1
    /// - sleeping dog: 1.5 [newsletter and not mobile] + 0.2 (d − 2) − 0.4
    ///
    /// The scores are multiplied by four, which makes most people clearly one class.
    var memberships: (persuadable: Double, sureThing: Double, lostCause: Double, sleepingDog: Double) {
        let r = Double(recency) / 20
        let v = log(Double(historyCents) / 6700)
        let d = Double(tenure) / 365
        let g = log(engagement)
        let mobile = device == .mobile
        let social = acquiredBy == .social
        let persuadable = (mobile && !newsletter ? 1.5 : 0) + (social ? 0.3 : 0) + 0.6 * g - 0.6
        let sureThing = 0.7 * v - 0.3 * r + 0.3
        let lostCause = 0.3 * r - 0.7 * v - 0.1
        let sleepingDog = (newsletter && !mobile ? 1.5 : 0) + 0.2 * (d - 2) - 0.4
        let top = max(persuadable, sureThing, lostCause, sleepingDog)
        let a = exp(4 * (persuadable - top))
        let b = exp(4 * (sureThing - top))
        let c = exp(4 * (lostCause - top))
        let e = exp(4 * (sleepingDog - top))
        let sum = a + b + c + e
        return (a / sum, b / sum, c / sum, e / sum)
    }

    /// The class the person is nearest to.
    package var segment: Segment {
        let m = memberships
        let top = max(m.persuadable, m.sureThing, m.lostCause, m.sleepingDog)
        if m.persuadable == top { return .persuadable }
        if m.sureThing == top { return .sureThing }
        return m.lostCause == top ? .lostCause : .sleepingDog
    }

    /// The strata probabilities: those of the four pure classes, mixed by ``memberships``.
    package var strata: Strata {
        let m = memberships
        return Strata(
            persuaded: 0.26 * m.persuadable + 0.03 * m.sureThing + 0.012 * m.lostCause + 0.01 * m.sleepingDog,
            always: 0.04 * m.persuadable + 0.36 * m.sureThing + 0.015 * m.lostCause + 0.05 * m.sleepingDog,
            disturbed: 0.01 * m.persuadable + 0.03 * m.sureThing + 0.007 * m.lostCause + 0.16 * m.sleepingDog)
    }
}
