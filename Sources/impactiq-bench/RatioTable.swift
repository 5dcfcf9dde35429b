import Terminal

/// Rates of several stages over rounds, as ratios to the first stage of the same round: median and range.
struct RatioTable {
    let names: [String]
    private var rates: [[Double]] = []

    init(names: [String]) { self.names = names }

    /// One round: a rate for each stage.
    mutating func add(_ round: [Double]) { rates.append(round) }

    private func ratios(_ stage: Int) -> [Double] { rates.map { $0[stage] / $0[0] }.sorted() }
    private func rate(_ stage: Int) -> Double { Self.median(rates.map { $0[stage] }.sorted()) }

    private static func median(_ sorted: [Double]) -> Double {
        guard !sorted.isEmpty else { return .nan }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    var text: String {
        var table = Table(.text("stage (cumulative)"), .number("events/s"), .number("ratio"), .number("range"))
        for (i, name) in names.enumerated() {
            let own = ratios(i)
            table.add(
                name, HumanNumber.short(rate(i)), HumanNumber.decimals(Self.median(own), 3),
                "\(HumanNumber.decimals(own.first ?? .nan, 3))–\(HumanNumber.decimals(own.last ?? .nan, 3))")
        }
        return table.text()
    }

    var json: JSONOutput {
        .array(
            names.enumerated().map { i, name in
                let own = ratios(i)
                return [
                    "stage": .text(name), "events_per_second": .number(rate(i)), "ratio": .number(Self.median(own)),
                    "ratio_least": .number(own.first ?? .nan), "ratio_greatest": .number(own.last ?? .nan),
                    "rounds": .integer(own.count),
                ]
            })
    }
}
