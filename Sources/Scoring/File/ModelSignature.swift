import Base
import Foundation

/// The detached signature of a model file: 64 bytes of Ed25519 over all of the file, in `FILE.sig` beside it.
///
/// The SHA-256 in the file's header shows damage; the signature shows who made the file.
package enum ModelSignature {
    package static func path(of model: String) -> String { model + ".sig" }

    /// Signs a model file; it must be a model.
    ///
    /// - Returns: where the signature is.
    package static func sign(_ path: String, key: Ed25519) throws(ImpactError) -> String {
        let model = try Model.open(path: path)
        let file = try MappedFile(path: model.path)
        let out = try OutputFile(Self.path(of: model.path), access: .shared)
        let signature = try key.sign(file.bytes)
        extendLifetime(file)
        try out.append(signature)
        try out.finish()
        return out.path
    }

    /// - Throws: `model_not_signed` without a signature, `model_signature` for one that is not the key's.
    static func check(_ bytes: UnsafeRawBufferPointer, path: String, key: Ed25519) throws(ImpactError) {
        let place = Self.path(of: path)
        guard FileManager.default.fileExists(atPath: place) else {
            throw ImpactError(
                .badInput, code: "model_not_signed",
                "\(path) has no signature (\(place)), and a public key is configured: 'impactiq model sign' makes one, where "
                    + "the private key is")
        }
        let signature = try MappedFile.prefix(Ed25519.signatureSize + 1, of: place)
        guard key.isValid(signature, of: bytes) else {
            throw ImpactError(
                .badInput, code: "model_signature",
                "\(path) is not what the owner of the key \(key.fingerprint.prefix(16))… signed: the file or its signature "
                    + "was changed, or another key signed it. It is not used")
        }
    }
}
