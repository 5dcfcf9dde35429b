import Base
import Foundation
import Service
import Settings

/// What a server is asked to be, as options of `serve` or keys of `run` say it; both become the same ``ServerOptions``.
struct ServerRequest {
    var listen: ListenAddress
    var threads = 2
    /// Whether an address that other machines reach may go without a token.
    var isOpen = false
    var tokenFile = ""
    var hosts = ""
    var origins = ""
    var certificate = ""
    var key = ""
    /// What the person is told to give: `--token-file` or `http.token.file`.
    var tokenName = "--token-file FILE"
    var openName = "--no-auth"
    var hostsName = "--hosts"
    var originsName = "--cors"

    /// - Throws: `no_auth` for an address that other machines reach without a token; `token_file`, `tls_files`.
    func options() throws(ImpactError) -> ServerOptions {
        var options = ServerOptions()
        options.listen = listen
        options.threads = threads
        options.access.hosts = Set(Self.names(hosts).map { $0.lowercased() })
        options.access.origins = Set(Self.names(origins))
        if let host = Self.names(hosts).first(where: { Access.hostName($0) != $0.lowercased() }) {
            throw ImpactError(
                .badConfiguration, code: "bad_value",
                "\(hostsName): \(host) is not a host name; give names as api.example.com, without a port")
        }
        if let origin = Self.names(origins).first(where: { !Access.isOrigin($0) }) {
            throw ImpactError(
                .badConfiguration, code: "bad_value",
                "\(originsName): \(origin) is not an origin; give scheme and name as browsers send them, as https://ads.example.com"
            )
        }
        if isOpen, !tokenFile.isEmpty {
            throw ImpactError(
                .badConfiguration, code: "bad_value",
                "\(openName) and \(tokenName) contradict each other: leave one of them out")
        }
        if !tokenFile.isEmpty { options.access.require(token: try Access.token(fromFile: tokenFile)) }
        if listen.isLoopback {
            options.access.hosts.formUnion(Access.loopbackHosts)
        } else if !options.access.wantsToken, !isOpen {
            throw ImpactError(
                .badConfiguration, code: "no_auth",
                "\(listen) can be reached by other machines: give \(tokenName), or \(openName) if that is meant")
        }
        guard certificate.isEmpty == key.isEmpty else {
            throw ImpactError(
                .badConfiguration, code: "tls_files", "TLS needs both the certificate and its private key")
        }
        if !certificate.isEmpty {
            options.certificate = try ServerOptions.TLSFiles(certificatePath: certificate, keyPath: key)
        }
        return options
    }

    private static func names(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}

extension ServerRequest {
    /// The server that the keys of a configuration ask for.
    init(_ configuration: Configuration, _ listen: ListenAddress) {
        self.init(listen: listen)
        threads = configuration.httpThreads
        isOpen = !configuration.httpNeedsToken
        tokenFile = configuration.httpTokenFile
        hosts = configuration.httpHosts
        origins = configuration.httpOrigins
        certificate = configuration.httpCertificate
        key = configuration.httpKey
        tokenName = "http.token.file"
        openName = "http.auth=none"
        hostsName = "http.hosts"
        originsName = "http.cors.origins"
    }
}
