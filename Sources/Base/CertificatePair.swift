import CCrypto
import Foundation

/// A certificate and its private key, as a TLS server wants them. Read by OpenSSL's libcrypto.
public enum CertificatePair {
    /// Why the two PEM texts do not belong together; nil when they do.
    public static func problem(certificate: String, key: String) -> String? {
        defer { ERR_clear_error() }
        let first = read(certificate) { PEM_read_bio_X509($0, nil, noPassword, nil) }
        guard let first else { return "the certificate is not an X.509 certificate in PEM text" }
        defer { X509_free(first) }
        let owned = read(key) { PEM_read_bio_PrivateKey($0, nil, noPassword, nil) }
        guard let owned else {
            return "the key is not a private key in PEM text, or it wants a password, which a server cannot give"
        }
        defer { EVP_PKEY_free(owned) }
        guard X509_check_private_key(first, owned) == 1 else {
            return "the key is not that of the certificate (the server's own certificate stands first in its file)"
        }
        return nil
    }

    /// OpenSSL's memory buffer reads from where the text is, so it lives inside.
    private static func read(_ text: String, _ parse: (OpaquePointer) -> OpaquePointer?) -> OpaquePointer? {
        Array(text.utf8).withUnsafeBytes { bytes in
            guard let memory = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
            defer { BIO_free(memory) }
            return parse(memory)
        }
    }
}
