/// Shares of one conversion in units of 2⁻⁴⁰, so that the shares of a conversion add up to exactly one and sums over
/// conversions are exact and independent of their order, also in a database's double precision.
package enum Credit {
    package static let unit = Int64(1) << 40

    /// A share as a number; exact.
    package static func value(_ units: Int64) -> Double { Double(units) * 0x1p-40 }
    package static func value(_ units: Int128) -> Double { Double(units) * 0x1p-40 }

    /// The units of a share that was stored.
    package static func units(_ value: Double) -> Int64 { Int64((value * 0x1p40).rounded()) }

    /// Divides one unit in proportion to weights; where no weight is positive and finite, equally.
    ///
    /// What rounding leaves goes to the largest share, the first of equals. A weight of zero gets exactly nothing.
    package static func divide(_ weights: [Double], into shares: inout [Int64]) {
        shares.removeAll(keepingCapacity: true)
        guard !weights.isEmpty else { return }
        var total = 0.0
        for weight in weights where weight > 0 && weight.isFinite { total += weight }
        let isEqual = !(total > 0 && total.isFinite)
        var left = unit
        var largest = 0
        for (index, weight) in weights.enumerated() {
            let part = isEqual ? 1 / Double(weights.count) : weight > 0 && weight.isFinite ? weight / total : 0
            let units = min(Int64((part * 0x1p40).rounded(.down)), left)
            shares.append(units)
            left -= units
            if units > shares[largest] { largest = index }
        }
        shares[largest] += left
    }
}
