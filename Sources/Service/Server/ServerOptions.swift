import Base
import Foundation

/// How the server listens, whom it answers, and what it bounds.
package struct ServerOptions: Sendable {
    package var listen = ListenAddress(host: "127.0.0.1", port: 8_080)
    package var threads = 2
    package var access = Access()
    /// PEM texts; nil without TLS.
    package var certificate: TLSFiles?
    /// Connections at once, in all and of one address.
    package var maxConnections = 2_048
    /// Largest body, bytes.
    package var maxBodyBytes = 16 << 20
    /// Bytes of bodies held at once, over all requests.
    package var maxBodiesBytes = 256 << 20
    /// Seconds that a connection may be idle, and that a request may take to arrive.
    package var idleSeconds = 75
    package var requestSeconds = 20
    /// Seconds that requests in hand have when the server stops.
    package var stopSeconds = 5.0

    package init() {}

    /// The certificate and key as PEM texts.
    package struct TLSFiles: Sendable {
        package var certificate: String
        package var key: String

        /// - Throws: `tls_files` for a file that cannot be read, a private key that others can read, and two that do not belong together.
        package init(certificatePath: String, keyPath: String) throws(ImpactError) {
            certificate = try Self.read(certificatePath, "http.tls.certificate")
            var status = stat()
            if stat(keyPath, &status) == 0, status.st_mode & 0o007 != 0 {
                throw ImpactError(
                    .badConfiguration, code: "tls_files",
                    "http.tls.key=\(keyPath): everybody can read it; chmod 600 \(keyPath)")
            }
            key = try Self.read(keyPath, "http.tls.key")
            if let problem = CertificatePair.problem(certificate: certificate, key: key) {
                throw ImpactError(
                    .badConfiguration, code: "tls_files",
                    "http.tls.certificate=\(certificatePath), http.tls.key=\(keyPath): \(problem)")
            }
        }

        private static func read(_ path: String, _ key: String) throws(ImpactError) -> String {
            do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
                throw ImpactError(
                    .badConfiguration, code: "tls_files", "cannot read \(key)=\(path): give a readable PEM file")
            }
        }
    }
}
