import Base
import Foundation
import Pipeline
import Settings
import Sinks
import Terminal

/// `impactiq config`: the effective configuration and where each value came from.
enum ConfigCommand: Command {
    static let specification = CommandSpecification(
        "config", "Print the effective configuration and where each value came from",
        discussion: """
            Defaults, then the file, then IMPACTIQ_… environment variables, then --set: the last one wins. Unknown keys \
            and unfit values are errors, and so is what 'run' would refuse before it asks a broker: topics of two roles, Kafka \
            properties, files of TLS, token, key and weights. Secrets are masked.
            """,
        options: ConfigurationOptions.options + [.flag("json", "Print one JSON object")],
        examples: [
            .init("impactiq config", "the defaults"),
            .init("IMPACTIQ_WORKERS=2 impactiq config --config impactiq.properties --json", "for a machine"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let lines = configuration.listing
        if command.flag("json") {
            let members = lines.map {
                (
                    name: $0.name,
                    value: JSONOutput.object([
                        (name: "value", value: .text($0.value)), (name: "origin", value: .text($0.origin)),
                    ])
                )
            }
            Terminal.Stream.output.write(JSONOutput.object(members).line + "\n")
            return try check(configuration)
        }
        var table = Table(.text("key"), .text("value"), .text("from"), .text("meaning"))
        for line in lines { table.add(line.name, line.value.isEmpty ? "–" : line.value, line.origin, line.summary) }
        Terminal.Stream.output.write(table.text())
        try check(configuration)
    }

    /// What `run` would refuse before it asks a broker.
    private static func check(_ configuration: Configuration) throws(ImpactError) {
        try TopicRoles.check(configuration)
        try PipelineService.check(configuration)
        if let path = configuration.logStore?.path { try checkFolder(of: path) }
        if !configuration.modelPublicKey.isEmpty { _ = try Ed25519.publicKey(path: configuration.modelPublicKey) }
    }

    private static func checkFolder(of path: String) throws(ImpactError) {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        guard path.hasPrefix(":") || FileManager.default.fileExists(atPath: folder) else {
            throw ImpactError(
                .badConfiguration, code: "log_store_open",
                "log.store=sqlite:\(path): the folder \(folder) does not exist: create it. The pipeline would score "
                    + "without keeping scores, and try again now and then")
        }
    }
}
