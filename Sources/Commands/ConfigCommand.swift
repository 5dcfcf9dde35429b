import Base
import Pipeline
import Settings
import Terminal

/// `impactiq config`: the effective configuration and where each value came from.
enum ConfigCommand: Command {
    static let specification = CommandSpecification(
        "config", "Print the effective configuration and where each value came from",
        discussion: """
            Defaults, then the file, then IMPACTIQ_… environment variables, then --set: the last one wins. Unknown keys \
            and unfit values are errors. Secrets are masked.
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
        if !configuration.modelPublicKey.isEmpty { _ = try Ed25519.publicKey(path: configuration.modelPublicKey) }
    }
}
