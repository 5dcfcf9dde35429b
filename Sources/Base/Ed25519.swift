import CCrypto
import Foundation

/// Ed25519 keys (RFC 8032) in PEM files as `openssl genpkey -algorithm ed25519` writes them, and signatures of 64 bytes as
/// `openssl pkeyutl -sign -rawin` makes them. From OpenSSL's libcrypto.
public final class Ed25519: @unchecked Sendable {  // OpenSSL's keys are counted and not changed after reading
    /// Bytes of a signature.
    public static let signatureSize = 64

    /// OpenSSL's `EVP_PKEY`.
    private let key: OpaquePointer

    private init(_ key: OpaquePointer) { self.key = key }

    deinit { EVP_PKEY_free(key) }

    /// Reads a public key.
    ///
    /// - Throws: `file_not_readable`, `signing_key` for a file that holds none.
    public static func publicKey(path: String) throws(ImpactError) -> Ed25519 {
        try read(path, "public", hint: "openssl pkey -in private.pem -pubout -out public.pem") {
            PEM_read_bio_PUBKEY($0, nil, noPassword, nil)
        }
    }

    /// Reads a private key.
    ///
    /// - Throws: `file_not_readable`, `signing_key` for a file that holds none, or one that wants a password.
    public static func privateKey(path: String) throws(ImpactError) -> Ed25519 {
        try read(path, "private", hint: "openssl genpkey -algorithm ed25519 -out private.pem") {
            PEM_read_bio_PrivateKey($0, nil, noPassword, nil)
        }
    }

    private static func read(
        _ path: String, _ kind: String, hint: String, _ parse: (OpaquePointer) -> OpaquePointer?
    ) throws(ImpactError) -> Ed25519 {
        let text = try MappedFile.prefix(1 << 16, of: path)
        defer { ERR_clear_error() }
        // OpenSSL's memory buffer reads from where the text is, so it lives inside.
        let found = text.withUnsafeBytes { bytes -> OpaquePointer? in
            guard let memory = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
            defer { BIO_free(memory) }
            return parse(memory)
        }
        guard let key = found else {
            throw ImpactError(
                .badInput, code: "signing_key",
                "\(path) holds no \(kind) key in PEM, or one that wants a password; '\(hint)' makes one")
        }
        let owned = Ed25519(key)
        guard let name = EVP_PKEY_get0_type_name(key), String(cString: name) == "ED25519" else {
            let name = EVP_PKEY_get0_type_name(key).map { String(cString: $0) } ?? "unknown"
            throw ImpactError(
                .badInput, code: "signing_key",
                "\(path) holds a key of the type \(name); signatures are Ed25519: '\(hint)' makes one")
        }
        return owned
    }

    /// The key's public part, 32 bytes in hexadecimal: names the key for people.
    public var fingerprint: String {
        var bytes = [UInt8](repeating: 0, count: 32)
        var count = bytes.count
        guard EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1 else { return "" }
        return SHA256.hex(Array(bytes.prefix(count)))
    }

    /// Signs a message with a private key.
    public func sign(_ message: UnsafeRawBufferPointer) throws(ImpactError) -> [UInt8] {
        defer { ERR_clear_error() }
        var signature = [UInt8](repeating: 0, count: Self.signatureSize)
        var count = signature.count
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        let bytes = message.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let context, EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, bytes, message.count) == 1, count == Self.signatureSize
        else {
            throw ImpactError(.failed, code: "signing_key", "OpenSSL cannot sign with this key: is it a private key?")
        }
        return signature
    }

    /// Whether the signature is the message's by this key.
    public func isValid(_ signature: [UInt8], of message: UnsafeRawBufferPointer) -> Bool {
        defer { ERR_clear_error() }
        guard signature.count == Self.signatureSize, let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        let bytes = message.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, bytes, message.count) == 1
    }
}

/// Without it OpenSSL would ask the terminal.
func noPassword(
    _ text: UnsafeMutablePointer<CChar>?, _ size: Int32, _ isWriting: Int32, _ context: UnsafeMutableRawPointer?
) -> Int32 { -1 }
