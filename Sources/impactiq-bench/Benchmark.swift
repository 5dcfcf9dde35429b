import Diagnostics
import Terminal

/// What the benchmarks' commands share.
enum Benchmark {
    /// The parsed command; nil when only help was asked for, which is then printed.
    static func parse(_ specification: CommandSpecification, _ words: [String]) throws -> ParsedCommand? {
        switch try specification.parse(words) {
        case .run(let command):
            Log.setLevel(.warning)
            return command
        case .help(let text):
            Terminal.Stream.output.write(text)
            return nil
        }
    }
}
