import Base
import Testing

/// Vectors of FIPS 180-4 and NIST's example set (SHA256.pdf); the long ones are CAVP-style.
@Test(
    "SHA-256 equals the published digests",
    arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
    ])
func publishedDigests(message: String, expected: String) {
    #expect(SHA256.hex(SHA256.digest(Array(message.utf8))) == expected)
}

@Test("SHA-256 of a million times a equals the published digest")
func longMessage() {
    let message = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    #expect(
        SHA256.hex(SHA256.digest(message)) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
}

@Test("SHA-256 does not depend on how the message is cut into pieces")
func piecesGiveTheSameDigest() {
    let message = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for length in [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1_000] {
        let whole = SHA256.digest(Array(message[..<length]))
        for piece in [1, 3, 63, 64, 65, 200] {
            let sum = SHA256()
            for start in stride(from: 0, to: length, by: piece) {
                let part = Array(message[start..<min(start + piece, length)])
                sum.update(part.span.bytes)
            }
            #expect(sum.finalize() == whole, "length \(length), pieces of \(piece)")
        }
    }
}

/// RFC 4231, test cases 1, 2 and 6.
@Test(
    "HMAC-SHA-256 equals the published codes",
    arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
func publishedCodes(key: [UInt8], message: String, expected: String) {
    let code = HMACSHA256.code(Array(message.utf8), key: key)
    #expect(SHA256.hex(code) == expected)
    #expect(HMACSHA256.isValid(code, of: Array(message.utf8), key: key))
    for bit in 0..<8 {
        var wrong = code
        wrong[bit * 4] ^= 1 << bit
        #expect(!HMACSHA256.isValid(wrong, of: Array(message.utf8), key: key))
    }
}
