import Base
import Foundation
import Terminal

// Each benchmark measures its baseline in the same run and prints ratios.
let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch arguments.first {
    case "stream": try StreamBenchmark.run(Array(arguments.dropFirst()))
    case "model": try BenchmarkModel.run(Array(arguments.dropFirst()))
    case "raw": try RawLoop.run(Array(arguments.dropFirst()))
    case "roofline": try RooflineBenchmark.run(Array(arguments.dropFirst()))
    case "growth": try GrowthBenchmark.run(Array(arguments.dropFirst()))
    case "allocations": try AllocationBenchmark.run(Array(arguments.dropFirst()))
    case "latency": try LatencyBenchmark.run(Array(arguments.dropFirst()))
    case "stages": try StageBenchmark.run(Array(arguments.dropFirst()))
    case "restore": try RestoreBenchmark.run(Array(arguments.dropFirst()))
    case "spill": try SpillBenchmark.run(Array(arguments.dropFirst()))
    case "backtest": try BacktestBenchmark.run(Array(arguments.dropFirst()))
    case "evaluate": try EvaluationBenchmarkCommand.run(Array(arguments.dropFirst()))
    case "forest": try ForestBenchmarkCommand.run(Array(arguments.dropFirst()))
    case "trees": try TreesBenchmark.run(Array(arguments.dropFirst()))
    default:
        Terminal.Stream.output.write(
            """
            impactiq-bench: benchmarks, each beside its baseline

              stream       the stages of the stream and the whole product beside a raw C consume loop
                           impactiq-bench stream --bootstrap localhost:9092
              raw          the C loop alone, for scripts/bench-cpu.py
              model        the benchmarks' forest as a file, for scripts/bench-cpu.py
              latency      from the broker's append of an event to its score's visibility, at a steady rate
              roofline     the stages alone, and the product's share of what they allow together
              growth       cost by partitions, workers, message size, users and features
              allocations  what a worker allocates in steady state; without --bootstrap no broker is needed
              restore      state from the changelog and from the local copy beside a plain read; bytes per user
              spill        more users than memory may hold: events/s, and how much memory it takes
              backtest     replay and rows beside the live pipeline without its transactions, on a broker
              evaluate     the ranking and curves of a trial; scripts/bench-evaluate.py adds scikit-uplift
              stages       what each stage costs alone, on messages in memory; no broker
              forest       the forest engine on a model and rows; scripts/bench-forest-peers.py adds the peers
              trees        boosted trees on raw columns; scripts/bench-trees.py adds XGBoost and LightGBM

            impactiq-bench BENCHMARK --help says more. scripts/bench-stream-peer.py sets a Python consumer beside it.

            """)
        if let word = arguments.first, word != "--help" {
            throw ImpactError(.usage, code: "unknown_benchmark", "no benchmark '\(word)'")
        }
    }
} catch let error as ImpactError {
    Terminal.Stream.error.write("impactiq-bench: \(error.message)\n")
    exit(error.kind.rawValue)
} catch {
    Terminal.Stream.error.write("impactiq-bench: \(error)\n")
    exit(1)
}
