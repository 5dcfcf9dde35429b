import Report

/// An amount in millionths of the currency: sums are exact and do not depend on their order.
package struct Money: Sendable, Hashable, Comparable {
    package var micros: Int64

    package init(micros: Int64) { self.micros = micros }

    /// nil for what is not finite or beyond nine million million.
    package init?(_ amount: Double) {
        let scaled = (amount * 1e6).rounded()
        guard scaled.isFinite, abs(scaled) < 9.2e18 else { return nil }
        micros = Int64(scaled)
    }

    package static let zero = Money(micros: 0)
    /// With two decimals: `1234.50`.
    package var text: String { Figure.fixed(amount, 2) }
    package var amount: Double { Double(micros) / 1e6 }

    package static func + (a: Money, b: Money) -> Money { Money(micros: a.micros &+ b.micros) }
    package static func += (a: inout Money, b: Money) { a = a + b }
    package static func - (a: Money, b: Money) -> Money { Money(micros: a.micros &- b.micros) }
    package static func < (a: Money, b: Money) -> Bool { a.micros < b.micros }
}
