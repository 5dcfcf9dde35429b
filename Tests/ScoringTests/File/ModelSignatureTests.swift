import Base
import Foundation
import Scoring
import TestSupport
import Testing

@Test("With a key a model is opened only with that key's signature of all of its bytes")
func modelSignature() throws {
    let folder = try TemporaryFolder("signature")
    func key(_ first: UInt8) throws -> Ed25519 {
        let der: [UInt8] = [
            0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ]
        let text = Data(der + [UInt8](repeating: first, count: 32)).base64EncodedString()
        return try Ed25519.privateKey(
            path: folder.write("-----BEGIN PRIVATE KEY-----\n\(text)\n-----END PRIVATE KEY-----\n", "\(first).pem"))
    }
    let (ours, other) = (try key(1), try key(2))
    let source = SharedMaterial.repository.appending(path: "Tests/Golden/forest.model")
    let path = folder.file("a.model")
    try FileManager.default.copyItem(atPath: source.path, toPath: path)
    func code(_ key: Ed25519?) -> String? {
        do throws(ImpactError) {
            _ = try Model.open(path: path, key: key)
            return nil
        } catch { return error.code }
    }
    #expect(code(ours) == "model_not_signed")
    #expect(code(nil) == nil)
    #expect(try ModelSignature.sign(path, key: ours) == path + ".sig")
    #expect(code(ours) == nil)
    #expect(code(other) == "model_signature")

    // A registry takes the signature along.
    let registry = ModelRegistry(folder: folder.file("models"))
    let entry = try registry.add(path)
    #expect(try Model.open(path: entry.path, key: ours).sha256 == entry.model.sha256)

    // Whole, and of another maker: the checksum is right, the signature is not.
    let good = try Data(contentsOf: URL(filePath: path))
    try (good + [0]).write(to: URL(filePath: path))
    #expect(code(ours) == "model_signature")
    try good.write(to: URL(filePath: path))
    #expect(code(ours) == nil)
    try Data(repeating: 0, count: 64).write(to: URL(filePath: path + ".sig"))
    #expect(code(ours) == "model_signature")
    try Data().write(to: URL(filePath: path + ".sig"))
    #expect(code(ours) == "model_signature")
}
