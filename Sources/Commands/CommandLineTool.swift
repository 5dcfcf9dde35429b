import Base
import Foundation
import Kafka
import Scoring
import Terminal

/// The `impactiq` command: reads the command line, runs the command, prints errors for people, gives the exit status.
package enum CommandLineTool {
    static let entries: [CommandEntry] = [
        CommandEntry(path: ["demo"], type: DemoCommand.self),
        CommandEntry(path: ["run"], type: RunCommand.self),
        CommandEntry(path: ["load"], type: LoadCommand.self),
        CommandEntry(path: ["replay"], type: ReplayCommand.self),
        CommandEntry(path: ["rows"], type: RowsCommand.self),
        CommandEntry(path: ["train"], type: TrainCommand.self),
        CommandEntry(path: ["evaluate"], type: EvaluateCommand.self),
        CommandEntry(path: ["impact"], type: ImpactCommand.self),
        CommandEntry(path: ["quadrants"], type: QuadrantsCommand.self),
        CommandEntry(path: ["models"], type: ModelsCommand.self),
        CommandEntry(path: ["model"], type: ModelCommand.self),
        CommandEntry(path: ["generate"], type: GenerateCommand.self),
        CommandEntry(path: ["log-store"], type: LogStoreCommand.self),
        CommandEntry(path: ["dead-letter"], type: DeadLetterCommand.self),
        CommandEntry(path: ["reset"], type: ResetCommand.self),
        CommandEntry(path: ["topics"], type: TopicsCommand.self),
        CommandEntry(path: ["state"], type: StateCommand.self),
        CommandEntry(path: ["config"], type: ConfigCommand.self),
    ]

    static let root = CommandSpecification(
        "impactiq", "A streaming uplift engine: raw ad events in, causal effects with intervals out",
        discussion: """
            Reads click and ad-view events from Kafka, keeps each user's rolling features, scores the causal effect of \
            showing the ad with a causal forest, and publishes every score exactly once.
            """,
        examples: [
            .init("impactiq demo", "the whole product on an embedded broker, nothing to set up"),
            .init("impactiq run --config impactiq.properties", "the pipeline on your Kafka"),
        ],
        subcommands: entries.map { $0.type.specification })

    /// What a report of a problem should name: the product, the Kafka client and the forest's kernel.
    static var versions: String { "impactiq \(version) (librdkafka \(KafkaClient.version), \(Kernel.best) kernel)" }
    static let version = "0.2.0"

    /// Runs one command line (without the program's name) and returns the exit status.
    package static func run(_ words: [String]) -> Int32 {
        StopSignal.install()
        if words.first == "--version" {
            Terminal.Stream.output.write(Self.versions + "\n")
            return 0
        }
        do {
            switch try root.parse(words) {
            case .help(let text):
                Terminal.Stream.output.write(text)
            case .run(let command):
                try implementation(of: command).run(command)
            }
            return 0
        } catch let error as ImpactError {
            Terminal.Stream.error.write("impactiq: \(error.message)\n")
            return error.kind.rawValue
        } catch {
            Terminal.Stream.error.write("impactiq: \(error)\n")
            return ImpactError.Kind.failed.rawValue
        }
    }

    private static func implementation(of command: ParsedCommand) throws(ImpactError) -> any Command.Type {
        let path = Array(command.path.dropFirst())
        guard let entry = entries.first(where: { path.starts(with: $0.path) }) else {
            throw ImpactError(.usage, code: "unknown_command", "no command '\(command.name)'; see 'impactiq --help'")
        }
        return entry.type
    }
}
