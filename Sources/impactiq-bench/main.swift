import Diagnostics
import Foundation
import Terminal

// Each benchmark measures its baseline in the same run and prints ratios.
let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch arguments.first {
    case "stream": try StreamBenchmark.run(Array(arguments.dropFirst()))
    case "stages": try StageBenchmark.run(Array(arguments.dropFirst()))
    case "backtest": try BacktestBenchmark.run(Array(arguments.dropFirst()))
    case "evaluate": try EvaluationBenchmarkCommand.run(Array(arguments.dropFirst()))
    case "forest": try ForestBenchmarkCommand.run(Array(arguments.dropFirst()))
    default:
        Terminal.Stream.output.write(
            """
            impactiq-bench: benchmarks, each beside its baseline

              stream    the stages of the stream beside a raw C consume loop, on a broker
                        impactiq-bench stream --bootstrap localhost:9092
              stages    what each stage costs alone, on messages in memory; no broker
              backtest  replay and rows beside the live pipeline without its transactions, on a broker
              evaluate  the ranking and curves of a trial; scripts/bench-evaluate.py adds scikit-uplift
              forest    the forest engine on a model and rows; scripts/bench-forest-peers.py adds the peers

            """)
        if let word = arguments.first, word != "--help" {
            throw ImpactError(.usage, code: "unknown_benchmark", "no benchmark '\(word)'")
        }
    }
} catch let error as ImpactError {
    Terminal.Stream.error.write("impactiq-bench: \(error.message)\n")
    exit(error.kind.rawValue)
}
