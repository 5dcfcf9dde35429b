import Base
import Foundation
import Kafka
import Scoring
import Terminal

/// The `impactiq` command: reads the command line, runs the command, prints errors for people or machines, gives the exit status.
package enum CommandLineTool {
    static let commands: [any Command.Type] = [
        DemoCommand.self,
        RunCommand.self,
        LoadCommand.self,
        ReplayCommand.self,
        RowsCommand.self,
        TrainCommand.self,
        EvaluateCommand.self,
        ImpactCommand.self,
        QuadrantsCommand.self,
        ModelsCommand.self,
        AttributeCommand.self,
        ModelCommand.self,
        ServeCommand.self,
        GenerateCommand.self,
        LogStoreCommand.self,
        DeadLetterCommand.self,
        ResetCommand.self,
        TopicsCommand.self,
        StateCommand.self,
        ConfigCommand.self,
        CompletionCommand.self,
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
        subcommands: commands.specifications)

    /// What a report of a problem should name: the product, the Kafka client and the forest's kernel.
    static var versions: String { "impactiq \(version) (librdkafka \(KafkaClient.version), \(Kernel.best) kernel)" }
    static let version = "0.2.0"

    /// Overwrites the secrets on the process's command line, for whoever lists the processes. Once, at the start.
    package static func hideSecrets() { ProcessTitle.hideSecrets() }

    /// Runs one command line (without the program's name) and returns the exit status.
    package static func run(_ words: [String]) -> Int32 {
        StopSignal.install()
        if words.first == "--version" {
            let isWritten = Terminal.Stream.output.write(Self.versions + "\n")
            return isWritten ? 0 : ImpactError.Kind.failed.rawValue
        }
        do {
            try SHA256.check()
            switch try root.parse(words) {
            case .help(let text):
                Terminal.Stream.output.write(text)
            case .run(let command):
                try implementation(of: command).run(command)
            }
            try Terminal.Stream.output.check()
            return 0
        } catch {
            var fault = error as? ImpactError ?? ImpactError(.failed, code: "unexpected", "\(error)")
            fault = ImpactError(fault.kind, code: fault.code, Secrets.masked(message: fault.message))
            if words.prefix(while: { $0 != "--" }).contains("--json") {
                Terminal.Stream.error.writeRaw(json(fault).line + "\n")
            } else {
                Terminal.Stream.error.write("impactiq: \(fault.message)\n")
            }
            return fault.kind.rawValue
        }
    }

    /// An error for a machine. It is for those who asked for `--json`, also where the rest of the command line cannot be read.
    private static func json(_ error: ImpactError) -> JSONOutput {
        [
            "error": [
                "code": .text(error.code), "message": .text(error.message),
                "status": .integer(Int(error.kind.rawValue)),
            ]
        ]
    }

    /// The words of every command that can be run.
    package static var commandPaths: [[String]] {
        func paths(_ specification: CommandSpecification) -> [[String]] {
            let below = specification.subcommands.flatMap(paths).map { [specification.name] + $0 }
            return specification.subcommands.isEmpty || specification.runsAlone ? [[specification.name]] + below : below
        }
        return root.subcommands.flatMap(paths)
    }

    /// A command's help; nil for words that are not a command.
    package static func help(_ path: [String]) -> String? {
        guard case .help(let text)? = try? root.parse(path + ["--help"]) else { return nil }
        return text
    }

    private static func implementation(of command: ParsedCommand) throws(ImpactError) -> any Command.Type {
        var found: (any Command.Type)?
        var below = commands
        for word in command.path.dropFirst() {
            guard let next = below.first(where: { $0.specification.name == word }) else { break }
            found = next
            below = next.subcommands
        }
        guard let found else {
            throw ImpactError(.usage, code: "unknown_command", "no command '\(command.name)'; see 'impactiq --help'")
        }
        return found
    }
}
