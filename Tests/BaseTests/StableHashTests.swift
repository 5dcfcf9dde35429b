import Base
import Events
import TestSupport
import Testing

@Suite("Stable hash")
struct StableHashTests {
    @Test(
        "The values are those that stored state holds",
        arguments: [
            ("", 0x1118_86D7_7213_F862), ("a", 0x002E_61BA_5A00_2DFF), ("u-17", 0x7199_DB53_9EDA_1A48),
            ("ad_view", 0xB255_6B3D_93E0_3312), ("campaign", 0x2600_D941_5A28_F036),
            ("user-1234", 0x2480_B487_23D4_3651), ("Straße", 0x7C38_B29C_8803_A243),
            ("a text of more than thirty-two bytes", 0x66F1_3F3D_80E6_3BF3),
        ] as [(String, UInt64)])
    func golden(text: String, hash: UInt64) { #expect(StableHash.hash(text) == hash) }

    /// The definition, a byte at a time.
    private static func reference(_ bytes: [UInt8]) -> UInt64 {
        func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let product = a.multipliedFullWidth(by: b)
            return product.high ^ product.low
        }
        var h = 0xA076_1D64_78BD_642F ^ UInt64(bytes.count)
        var word: UInt64 = 0
        for (i, byte) in bytes.enumerated() {
            word |= UInt64(byte) << UInt64(i % 8 * 8)
            if i % 8 == 7 {
                h = fold(h ^ word, 0xE703_7ED1_A0B4_28DB)
                word = 0
            }
        }
        h = fold(h ^ word, 0x8EBC_6AF0_9C88_C6E3)
        return fold(h ^ 0x5895_11EB_9C1F_97A7, 0x1D8E_4E27_C47D_124F)
    }

    @Test("Every length gives what its definition gives")
    func definition() {
        var generator = SeededGenerator.announced()
        for count in 0...200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
            #expect(StableHash.hash(bytes.span.bytes) == Self.reference(bytes))
            #expect(bytes.withUnsafeBytes { StableHash.hash($0) } == Self.reference(bytes))
        }
    }
}
