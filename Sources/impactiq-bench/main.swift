import Diagnostics
import Foundation
import Terminal

// Each benchmark measures its baseline in the same run and prints ratios.
let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch arguments.first {
    case "stream": try StreamBenchmark.run(Array(arguments.dropFirst()))
    case "stages": try StageBenchmark.run(Array(arguments.dropFirst()))
    case "restore": try RestoreBenchmark.run(Array(arguments.dropFirst()))
    case "spill": try SpillBenchmark.run(Array(arguments.dropFirst()))
    case "forest": try ForestBenchmarkCommand.run(Array(arguments.dropFirst()))
    default:
        Terminal.Stream.output.write(
            """
            impactiq-bench: benchmarks, each beside its baseline

              stream    the stages of the stream beside a raw C consume loop, on a broker
                        impactiq-bench stream --bootstrap localhost:9092
              stages    what each stage costs alone, on messages in memory; no broker
              restore   state from the changelog and from the local copy beside a plain read; bytes a user
                        impactiq-bench restore --bootstrap localhost:9092 --users 2M
              spill     more users than memory may hold: events/s, and how much memory it takes
                        impactiq-bench spill --users 10M --memory 1GiB
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
