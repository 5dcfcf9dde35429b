import Terminal

/// What a stage cost in each round, nanoseconds an event.
struct StageTimes {
    enum Stage: String, CaseIterable {
        case parse, state, features, score, write, changelog
    }

    let stage: Stage
    private(set) var rounds: [Double] = []

    init(stage: Stage) { self.stage = stage }

    mutating func add(_ nanoseconds: Double) { rounds.append(nanoseconds) }

    var median: Double {
        let sorted = rounds.sorted()
        guard !sorted.isEmpty else { return .nan }
        return (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
    }

    static func text(_ results: [StageTimes], _ benchmark: StageBenchmark) -> String {
        var table = Table(.text("stage"), .number("ns per event"), .number("least"), .number("greatest"))
        for result in results {
            table.add(
                result.stage.rawValue, HumanNumber.decimals(result.median, 1),
                HumanNumber.decimals(result.rounds.min() ?? .nan, 1),
                HumanNumber.decimals(result.rounds.max() ?? .nan, 1))
        }
        let sum = results.reduce(0) { $0 + $1.median }
        table.add("sum", HumanNumber.decimals(sum, 1), "", "")
        return table.text()
    }

    static func json(_ results: [StageTimes]) -> JSONOutput {
        .array(
            results.map {
                [
                    "stage": .text($0.stage.rawValue), "nanoseconds": .number($0.median),
                    "least": .number($0.rounds.min() ?? .nan), "greatest": .number($0.rounds.max() ?? .nan),
                ]
            })
    }
}
