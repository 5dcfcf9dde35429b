import Terminal

/// What one row of a benchmark came to in each round: a number and its ratio to the baseline of the same round.
struct Measurement {
    let name: String
    /// What the row's ratio should be; nil for rows without a bar.
    let bar: Bar?
    private(set) var values: [Double] = []
    private(set) var ratios: [Double] = []

    init(_ name: String, bar: Bar? = nil) {
        self.name = name
        self.bar = bar
    }

    enum Bar {
        case atLeast(Double)
        case atMost(Double)

        var number: Double {
            switch self {
            case .atLeast(let number), .atMost(let number): number
            }
        }

        func text(_ decimals: Int) -> String {
            let sign = if case .atLeast = self { "≥" } else { "≤" }
            return "\(sign) \(HumanNumber.decimals(number, decimals))"
        }

        func isMet(by value: Double) -> Bool {
            switch self {
            case .atLeast(let least): value >= least
            case .atMost(let most): value <= most
            }
        }
    }

    mutating func add(_ value: Double, baseline: Double) {
        values.append(value)
        ratios.append(value / baseline)
    }

    var value: Double { Self.median(values) }
    var ratio: Double { Self.median(ratios) }
    var least: Double { ratios.min() ?? .nan }
    var greatest: Double { ratios.max() ?? .nan }

    static func median(_ numbers: [Double]) -> Double {
        let sorted = numbers.sorted()
        guard !sorted.isEmpty else { return .nan }
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    var json: JSONOutput {
        [
            "row": .text(name), "value": .number(value), "ratio": .number(ratio), "ratio_least": .number(least),
            "ratio_greatest": .number(greatest), "rounds": .integer(ratios.count),
            "bar": bar.map { .number($0.number) } ?? .null,
        ]
    }
}
