import Diagnostics

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "forest" {
    try ForestBenchmarkCommand.run(Array(arguments.dropFirst()))
} else {
    print("bench")
}
