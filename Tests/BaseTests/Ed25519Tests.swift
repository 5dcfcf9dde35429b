import Base
import Foundation
import TestSupport
import Testing

@Suite("Ed25519 signatures")
struct Ed25519Tests {
    private let folder: TemporaryFolder

    // RFC 8410, section 10: a key as OpenSSL writes it.
    private static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----

        """
    private static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PUBLIC KEY-----

        """

    init() throws { folder = try TemporaryFolder("keys") }

    private func file(_ name: String, _ text: String) throws -> String {
        try folder.write(text, name)
    }

    @Test("RFC 8032's first test vector; a signature is the message's and the key's alone")
    func vector() throws {
        // Section 7.1, test 1, as PKCS #8.
        let der: [UInt8] = [
            0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
            0x9D, 0x61, 0xB1, 0x9D, 0xEF, 0xFD, 0x5A, 0x60, 0xBA, 0x84, 0x4A, 0xF4, 0x92, 0xEC, 0x2C, 0xC4,
            0x44, 0x49, 0xC5, 0x69, 0x7B, 0x32, 0x69, 0x19, 0x70, 0x3B, 0xAC, 0x03, 0x1C, 0xAE, 0x7F, 0x60,
        ]
        let pem = "-----BEGIN PRIVATE KEY-----\n\(Data(der).base64EncodedString())\n-----END PRIVATE KEY-----\n"
        let key = try Ed25519.privateKey(path: try file("vector.pem", pem))
        #expect(key.fingerprint == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        let signature = try key.sign(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(
            SHA256.hex(signature)
                == "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
                + "be24655141438e7a100b")
        let other = try Ed25519.publicKey(path: try file("public.pem", Self.publicKey))
        let message = Array("model".utf8)
        try message.withUnsafeBytes { message in
            let good = try key.sign(message)
            #expect(key.isValid(good, of: message))
            #expect(!other.isValid(good, of: message))
            #expect(!key.isValid(good, of: UnsafeRawBufferPointer(rebasing: message.dropLast())))
            for i in good.indices {
                var bad = good
                bad[i] ^= 1
                #expect(!key.isValid(bad, of: message))
            }
            #expect(!key.isValid(good + [0], of: message) && !key.isValid([], of: message))
        }
    }

    @Test("A public key verifies and does not sign; what is not a key of this kind is refused by name")
    func keys() throws {
        let pair = try Ed25519.privateKey(path: try file("private.pem", Self.privateKey))
        let open = try Ed25519.publicKey(path: try file("public.pem", Self.publicKey))
        #expect(pair.fingerprint == open.fingerprint)
        try Array("m".utf8).withUnsafeBytes { message in
            let signature = try pair.sign(message)
            #expect(open.isValid(signature, of: message))
            #expect(throws: ImpactError.self) { try open.sign(message) }
        }
        for (name, text) in [
            ("empty.pem", ""), ("text.pem", "hello\n"), ("half.pem", String(Self.publicKey.prefix(60))),
            // An X25519 key: RFC 8410, section 10.
            (
                "x25519.pem",
                "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                    + "-----END PUBLIC KEY-----\n"
            ),
        ] {
            let path = try file(name, text)
            let error = #expect(throws: ImpactError.self) { try Ed25519.publicKey(path: path) }
            #expect(error?.code == "signing_key" && error?.message.contains(name) == true)
        }
    }
}
