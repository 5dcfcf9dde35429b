import Base
import Foundation
import Service
import Terminal

/// The options of `serve`.
enum ServeOptions {
    static let options: [CommandSpecification.Option] = [
        .value("model", "FILE", "The model file", required: true),
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
        .value("for", "DURATION", "Stop by itself after this time, as 30s or 5m"),
    ]

    static func server(_ command: ParsedCommand) throws -> ServerOptions {
        var options = ServerOptions()
        options.listen = try ListenAddress(parsing: command.text("listen") ?? "127.0.0.1:8080")
        let threads = try command.count("threads") ?? 2
        guard (1...256).contains(threads) else { throw command.invalid("threads", "must be 1 to 256") }
        options.threads = threads
        options.access.hosts = Set(names(command.text("hosts")).map { $0.lowercased() })
        options.access.origins = Set(names(command.text("cors")))
        if let path = command.text("token-file") {
            options.access.require(token: try Access.token(fromFile: path))
        }
        if options.listen.isLoopback {
            options.access.hosts.formUnion(Access.loopbackHosts)
        } else if !options.access.wantsToken, !command.flag("no-auth") {
            throw ImpactError(
                .badConfiguration, code: "no_auth",
                "\(options.listen) can be reached by other machines: give --token-file FILE, or --no-auth if that is meant"
            )
        }
        switch (command.text("certificate"), command.text("key")) {
        case (let certificate?, let key?):
            options.certificate = try ServerOptions.TLSFiles(certificatePath: certificate, keyPath: key)
        case (nil, nil): break
        default: throw command.invalid("certificate", "TLS needs both --certificate and --key")
        }
        return options
    }

    private static func names(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}
