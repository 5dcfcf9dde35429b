/// Weight and weighted outcomes of both arms among the rows counted so far.
///
/// Without weights and with a binary outcome all four are whole numbers, exact up to 2^53.
struct Tally: Sendable, Equatable {
    var treatedWeight = 0.0
    var controlWeight = 0.0
    var treatedOutcome = 0.0
    var controlOutcome = 0.0

    var weight: Double { treatedWeight + controlWeight }

    /// The Qini curve's height (Radcliffe 2007): treated outcomes less those that as many control rows would have had.
    var qini: Double { treatedOutcome - controlOutcome * Tally.ratio(treatedWeight, controlWeight) }

    /// The uplift curve's height (Devriendt and others 2020), also called cumulative gain: the difference in mean
    /// outcome times the population.
    var gain: Double {
        (Tally.ratio(treatedOutcome, treatedWeight) - Tally.ratio(controlOutcome, controlWeight)) * weight
    }

    /// a / b, and 0 when b is 0, as the curves define it before both arms have been met.
    @inline(__always)
    static func ratio(_ a: Double, _ b: Double) -> Double { b == 0 ? 0 : a / b }

    @inline(__always)
    mutating func add(treated: Bool, weight: Double, outcome: Double) {
        if treated {
            treatedWeight += weight
            treatedOutcome += weight * outcome
        } else {
            controlWeight += weight
            controlOutcome += weight * outcome
        }
    }

    static func += (a: inout Tally, b: Tally) {
        a.treatedWeight += b.treatedWeight
        a.controlWeight += b.controlWeight
        a.treatedOutcome += b.treatedOutcome
        a.controlOutcome += b.controlOutcome
    }
}
