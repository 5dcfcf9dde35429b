/// Perfect curves of a binary outcome from the four counts of arm by response: at most four points, no sorting.
struct PerfectCounts {
    let treatedResponded, treatedNot, controlResponded, controlNot: Double

    init(_ total: Tally) {
        treatedResponded = total.treatedOutcome
        treatedNot = total.treatedWeight - total.treatedOutcome
        controlResponded = total.controlOutcome
        controlNot = total.controlWeight - total.controlOutcome
    }

    private typealias Class = (weight: Double, treated: Bool, responded: Bool)

    /// Order `y t - y (1 - t)`: 1, 0 (both arms' non-responders tie), -1.
    var qiniCurve: Curve {
        curve(
            [
                [(treatedResponded, true, true)],
                [(treatedNot, true, false), (controlNot, false, false)],
                [(controlResponded, false, true)],
            ], \.qini)
    }

    /// Order `2 (y = t) + s`, s = y when more control rows responded than treated rows did not, else s = t.
    var upliftCurve: Curve {
        let first: [[Class]] = [[(treatedResponded, true, true)], [(controlNot, false, false)]]
        let byResponse = controlResponded > treatedNot
        let last: [[Class]] =
            byResponse
            ? [[(controlResponded, false, true)], [(treatedNot, true, false)]]
            : [[(treatedNot, true, false)], [(controlResponded, false, true)]]
        return curve(first + last, \.gain)
    }

    private func curve(_ order: [[Class]], _ height: (Tally) -> Double) -> Curve {
        var tally = Tally()
        var x = [0.0]
        var y = [0.0]
        for tie in order where tie.contains(where: { $0.weight > 0 }) {
            for part in tie { tally.add(treated: part.treated, weight: part.weight, outcome: part.responded ? 1 : 0) }
            x.append(tally.weight)
            y.append(height(tally))
        }
        return Curve(population: x, value: y)
    }
}
