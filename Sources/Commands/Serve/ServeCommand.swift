import Base
import Foundation
import Propensity
import Scoring
import Service
import Settings
import Sinks
import Terminal

/// `impactiq serve`: the HTTP API, the dashboard and the simulator of a model, without Kafka.
enum ServeCommand: Command {
    static let specification = CommandSpecification(
        "serve", "Serve a model over HTTP: API, simulator, interactive documentation",
        discussion: """
            Scores by features or raw events, one person or 10,000, with the same numbers as the stream. No Kafka is \
            needed; 'run' and 'demo' serve the same routes beside their pipeline. Without a token file it listens on \
            this machine only.
            """,
        options: ServeOptions.options,
        examples: [
            .init("impactiq serve --model examples/demo/demo.model", "then open http://127.0.0.1:8080/simulate"),
            .init("impactiq serve --model spring.model --listen 0.0.0.0:8443 --token-file token", "for other machines"),
        ])

    static func run(_ command: ParsedCommand) throws {
        guard let path = command.text("model") else { throw command.invalid("model", "name the model file") }
        let options = try ServeOptions.server(command)
        let model = try ModelKey.open(path, command)
        let served = ServedModel(
            model: model, level: try ConfidenceLevel(try command.number("level") ?? 0.95),
            threshold: try command.number("threshold") ?? 0)
        let history = try command.text("log-store").map { text in
            let address: LogStoreAddress
            do throws(SettingProblem) { address = try LogStoreAddress(parsing: text) } catch {
                throw command.invalid("log-store", error.words)
            }
            let folder = address.path.map { URL(filePath: $0).deletingLastPathComponent().path }
            if let folder, !FileManager.default.fileExists(atPath: folder) {
                throw command.invalid("log-store", "there is no folder \(folder)")
            }
            return ScoreHistory { () throws(LogStoreError) in try address.make() }
        }
        let impact = try command.text("impact-weights").map { file in
            try PipelineService.of(file, model, "--impact-weights")
        }
        let service = Service(
            served: served, version: CommandLineTool.version, scores: history,
            attribution: try StoredAttribution.of(command.text("attribution") ?? "none"), impact: impact)
        let server = try service.start(options)
        let url = server.address.url(tls: options.certificate != nil, hosts: options.access.hosts)
        Terminal.Stream.output.write("serving \(model.name) \(model.version) at \(url)\n")
        if let limit = try command.milliseconds("for") {
            StopSignal.wait(milliseconds: Int(limit))
        } else {
            while !StopSignal.wait(milliseconds: 60_000) {}
        }
        server.stop()
        Log.info("http", "stopped")
    }
}
