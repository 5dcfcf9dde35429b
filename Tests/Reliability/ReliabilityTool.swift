import Base
import Foundation
import Terminal
import TestSupport

/// `scripts/reliability`: the long runs behind docs/reliability.md.
package enum ReliabilityTool {
    private static let shared: [CommandSpecification.Option] = [
        .value("results", "FILE", "Append one JSON line a run; a run that is in the file already is not repeated"),
        .value("folder", "DIR", "Where processes keep their state and logs", default: "/tmp/impactiq-reliability"),
    ]

    static let root = CommandSpecification(
        "reliability", "Kill the pipeline in every way and compare with an undisturbed run",
        discussion: """
            Each scenario writes a seeded stream, disturbs real `impactiq run` processes or brokers, and compares scores, \
            dead letters, log store and state record by record with an undisturbed run over the same input. The broker \
            is that of KAFKA_BOOTSTRAP_SERVERS.
            """,
        subcommands: [
            CommandSpecification(
                "kill-points", "Kill the worker at each step of the commit and restore protocol",
                options: shared + [
                    .value("seeds", "N", "How many seeds a step", default: "20"),
                    .value("first-seed", "S", "The first seed", default: "1"),
                    .value("step", "NAME", "Only this step", repeated: true),
                    .value("messages", "N", "Messages of each stream", default: "1200"),
                    .value("width", "N", "Cases at the same time", default: "3"),
                ],
                examples: [.init("scripts/reliability kill-points --seeds 20", "the run in docs/reliability.md")])
        ] + SoakTool.specifications(shared))

    package static func run(_ words: [String]) -> Int32 {
        StopSignal.install()
        Log.setLevel(.warning)
        do {
            switch try root.parse(words) {
            case .help(let text):
                Terminal.Stream.output.write(text)
                return 0
            case .run(let command):
                return try run(command) ? 0 : 1
            }
        } catch let error as ImpactError {
            Terminal.Stream.error.write("reliability: \(error.message)\n")
            return error.kind.rawValue
        } catch {
            Terminal.Stream.error.write("reliability: \(error)\n")
            return 1
        }
    }

    private static func run(_ command: ParsedCommand) throws -> Bool {
        guard let bootstrap = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"], !bootstrap.isEmpty else {
            throw ImpactError(.usage, code: "no_broker", "set KAFKA_BOOTSTRAP_SERVERS; scripts/reliability does")
        }
        let site = try TestSite(bootstrap: bootstrap, folder: command.text("folder") ?? "/tmp/impactiq-reliability")
        if command.path.last == "kill-points" { return try KillPointSweep(command, site).run() }
        return try SoakTool.run(command, site)
    }
}
