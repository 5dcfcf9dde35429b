import CCrypto

/// SHA-256 (FIPS 180-4) from OpenSSL's libcrypto, for the fingerprints of model files and feature specifications.
///
/// ```swift
/// let digest = SHA256()
/// digest.update(bytes.span.bytes)
/// let hex = SHA256.hex(digest.finalize())
/// ```
public final class SHA256 {
    /// Bytes of a digest.
    public static let digestSize = 32

    /// OpenSSL's `EVP_MD_CTX`.
    private let context: OpaquePointer

    /// ``check()`` has said whether there is a SHA-256, before anything is done with it.
    public init() {
        guard let context = Self.make() else { preconditionFailure("OpenSSL has no SHA-256; see SHA256.check()") }
        self.context = context
    }

    private static func make() -> OpaquePointer? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        if EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 { return context }
        EVP_MD_CTX_free(context)
        return nil
    }

    /// Programs ask this once at their start.
    ///
    /// - Throws: `no_sha256` where OpenSSL's configuration keeps the algorithm from it.
    public static func check() throws(ImpactError) {
        guard let context = make() else {
            throw ImpactError(
                .failed, code: "no_sha256",
                "OpenSSL gives no SHA-256: look at OPENSSL_CONF and the providers that /etc/ssl/openssl.cnf activates")
        }
        EVP_MD_CTX_free(context)
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes to the message.
    public func update(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// Adds bytes to the message.
    public func update(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        let code = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(code == 1, "OpenSSL refuses an update")
    }

    /// The 32 bytes of the digest of what was added; the object can go on taking bytes.
    public func finalize() -> [UInt8] {
        let last = SHA256()
        let copied = EVP_MD_CTX_copy_ex(last.context, context)
        var digest = [UInt8](repeating: 0, count: Self.digestSize)
        let code = EVP_DigestFinal_ex(last.context, &digest, nil)
        precondition(copied == 1 && code == 1, "OpenSSL refuses a digest")
        return digest
    }

    /// The digest of one piece of bytes.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        let sum = SHA256()
        sum.update(bytes.span.bytes)
        return sum.finalize()
    }

    /// Bytes in lower-case hexadecimal.
    public static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// HMAC-SHA-256 (RFC 2104), as webhooks sign their messages.
public enum HMACSHA256 {
    /// The 32 bytes of the code.
    public static func code(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA256.digestSize)
        var count: UInt32 = 0
        let result = HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &code, &count)
        precondition(result != nil && Int(count) == code.count, "OpenSSL refuses an HMAC")
        return code
    }

    /// Whether the code is the message's, in a time that does not tell how much of it is right.
    public static func isValid(_ given: [UInt8], of message: [UInt8], key: [UInt8]) -> Bool {
        given.count == SHA256.digestSize && CRYPTO_memcmp(given, code(message, key: key), given.count) == 0
    }
}
