import Base
import Kafka
import Terminal

/// What the benchmarks' commands share.
enum Benchmark {
    static let brokerOptions: [CommandSpecification.Option] = [
        .value("bootstrap", "HOST:PORT", "The broker", required: true),
        .value("kafka", "KEY=VALUE", "A librdkafka property, as TLS and SASL need", repeated: true),
    ]

    static let roundOptions: [CommandSpecification.Option] = [
        .value("rounds", "N", "Rounds that count", default: "3"),
        .value("warm-up", "N", "Rounds before them that do not", default: "1"),
        .value("duration", "DURATION", "Longest time of one measurement", default: "60s"),
        .value("compare", "FILE", "Say which rows changed beyond noise since this result of --json"),
        .flag("json", "Print one JSON object"),
    ]

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

    static func properties(_ command: ParsedCommand) throws(ImpactError) -> KafkaProperties {
        var properties: KafkaProperties = ["bootstrap.servers": command.text("bootstrap") ?? ""]
        for setting in command.texts("kafka") {
            guard let equals = setting.firstIndex(of: "=") else {
                throw ImpactError(.usage, code: "invalid_option", "--kafka takes KEY=VALUE, not '\(setting)'")
            }
            properties[String(setting[..<equals])] = String(setting[setting.index(after: equals)...])
        }
        return properties
    }

    /// Prints a result as the command asks for.
    static func report(_ command: ParsedCommand, _ table: RoundTable) throws(ImpactError) {
        let earlier = try command.text("compare").map { path throws(ImpactError) in
            try EarlierResult(path: path, benchmark: table.benchmark)
        }
        if command.flag("json") {
            Terminal.Stream.output.write(table.json.line + "\n")
            if earlier != nil { Terminal.Stream.error.write(table.text(against: earlier)) }
        } else {
            Terminal.Stream.output.write(table.text(against: earlier))
        }
    }
}
