import Base
import Evaluation
import Foundation
import Terminal

/// `impactiq-bench evaluate`: prints what ``evaluationBenchmark(rows:columns:rounds:)`` measures.
enum EvaluationBenchmarkCommand {
    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "evaluate", "Ranking and curves of a trial, timed; scripts/bench-evaluate.py adds scikit-uplift",
            options: [
                .value("rows", "N", "Rows of a synthetic trial", default: "10M"),
                .value("columns", "DIR", "A folder with score.f64, treatment.u8, outcome.u8 instead"),
                .value("rounds", "N", "Rounds", default: "3"),
            ], examples: [.init("evaluate --rows 1M", "a million rows")])
        switch try specification.parse(words) {
        case .help(let text): Terminal.Stream.output.write(text)
        case .run(let command):
            let line = try evaluationBenchmark(
                rows: try command.count("rows") ?? 0, columns: command.text("columns"),
                rounds: try command.count("rounds") ?? 3)
            Terminal.Stream.output.write(line + "\n")
        }
    }
}

/// The time that `evaluate` needs for ranking a trial and for its curves, and the numbers that scikit-uplift must agree
/// with. `scripts/bench-evaluate.py` runs it beside scikit-uplift on the same rows.
///
/// - Parameters:
///   - rows: how many rows of a synthetic randomised trial, when `columns` is nil.
///   - columns: a folder with raw little-endian columns `score.f64`, `treatment.u8`, `outcome.u8`.
/// - Returns: one line of JSON: rows, seconds (best and all of three rounds), the Qini coefficient, the number of
///   points of the uplift curve and its last height.
func evaluationBenchmark(rows: Int, columns: String? = nil, rounds: Int = 3) throws -> String {
    let (score, treatment, outcome) = try columns.map(readColumns) ?? syntheticColumns(rows)
    var seconds: [Double] = []
    var qini: Double?
    var points = 0
    var last = 0.0
    let clock = ContinuousClock()
    for _ in 0..<rounds {
        let start = clock.now
        // Checks the columns, sorts, and computes both curves and the normalised Qini area.
        let ranked = RankedTrial(try Trial(score: score, treatment: treatment, outcome: outcome))
        let curves = ranked.curves()
        qini = ranked.qiniCoefficient(of: curves.qini)
        points = curves.uplift.count
        last = curves.uplift.value.last ?? 0
        let elapsed = clock.now - start
        seconds.append(
            Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18)
    }
    let best = seconds.min() ?? 0
    return """
        {"rows":\(score.count),"seconds":\(best),"rounds":\(seconds),"qini":\(qini ?? .nan),"points":\(points),"last":\(last)}
        """
}

/// A randomised trial in which the effect grows with the score.
private func syntheticColumns(_ rows: Int) -> ([Double], [UInt8], [Double]) {
    var state: UInt64 = 42
    func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }
    var score = [Double](repeating: 0, count: rows)
    var treatment = [UInt8](repeating: 0, count: rows)
    var outcome = [Double](repeating: 0, count: rows)
    for row in 0..<rows {
        score[row] = (uniform() + uniform() + uniform() - 1.5) * 0.05
        treatment[row] = uniform() < 0.5 ? 1 : 0
        outcome[row] = uniform() < 0.1 + (treatment[row] == 1 ? score[row] : 0) ? 1 : 0
    }
    return (score, treatment, outcome)
}

private func readColumns(_ folder: String) throws -> ([Double], [UInt8], [Double]) {
    func read(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: folder).appending(path: name)) }
    let bytes = try read("score.f64")
    let score = [Double](unsafeUninitializedCapacity: bytes.count / 8) { buffer, count in
        count = bytes.copyBytes(to: UnsafeMutableRawBufferPointer(buffer)) / 8
    }
    return (score, [UInt8](try read("treatment.u8")), try read("outcome.u8").map(Double.init))
}
