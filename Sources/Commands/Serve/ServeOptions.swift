import Base
import Service
import Terminal

/// The options of `serve`.
enum ServeOptions {
    static let options: [CommandSpecification.Option] = [
        .value("model", "FILE", "The model file", required: true),
        ModelKey.option,
        .value("listen", "HOST:PORT", "Address; port 0 takes a free one", default: "127.0.0.1:8080"),
        .value("token-file", "FILE", "One line: the token that requests must bear; only its owner may read the file"),
        .flag("no-auth", "Serve other machines without a token"),
        .value("hosts", "NAMES", "Names under which the server may be addressed, with commas between"),
        .value("cors", "ORIGINS", "Sites whose pages may call the API, with commas between"),
        .value("certificate", "FILE", "TLS: certificate chain, PEM"),
        .value("key", "FILE", "TLS: the certificate's private key, PEM"),
        .value("threads", "N", "Threads that answer", default: "2"),
        .value("threshold", "N", "Smallest effect worth an ad; decides treat and suppress", default: "0"),
        .value("level", "N", "Confidence level of the intervals", default: "0.95"),
        .value(
            "attribution", "PLACE",
            "Database whose channel report the attribution page shows: sqlite:PATH or postgresql://…"),
        .value(
            "log-store", "ADDRESS",
            "A log store that a pipeline writes to: last scores of users, GET /predict?customer_id="),
        .value(
            "impact-weights", "FILE.json",
            "Weights and baselines: POST /predict says what moves a customer, and a log store keeps it"),
        .value("for", "DURATION", "Stop by itself after this time, as 30s or 5m"),
    ]

    static func server(_ command: ParsedCommand) throws -> ServerOptions {
        var request = ServerRequest(listen: try ListenAddress(parsing: command.text("listen") ?? "127.0.0.1:8080"))
        let threads = try command.count("threads") ?? 2
        guard (1...256).contains(threads) else { throw command.invalid("threads", "must be 1 to 256") }
        request.threads = threads
        request.isOpen = command.flag("no-auth")
        request.tokenFile = command.text("token-file") ?? ""
        request.hosts = command.text("hosts") ?? ""
        request.origins = command.text("cors") ?? ""
        request.certificate = command.text("certificate") ?? ""
        request.key = command.text("key") ?? ""
        return try request.options()
    }
}
