import CNumeric
import TestSupport
import Testing

@Suite("Scanning sixteen bytes")
struct TextScanTests {
    @Test("Stops are the quotes, backslashes, controls and bytes beyond ASCII, with and without SSE2")
    func stops() {
        var generator = SeededGenerator.announced()
        let likely: [UInt8] = [0, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x5B, 0x5C, 0x5D, 0x7E, 0x7F, 0x80, 0xA2, 0xDC, 0xFF]
        for round in 0..<20_000 {
            let block = (0..<16).map { _ in
                round % 2 == 0
                    ? UInt8.random(in: 0 ... .max, using: &generator) : likely.randomElement(using: &generator) ?? 0
            }
            var expected: UInt32 = 0
            for (i, byte) in block.enumerated() where byte < 0x20 || byte >= 0x80 || byte == 0x22 || byte == 0x5C {
                expected |= 1 << UInt32(i)
            }
            #expect(block.withUnsafeBytes { cnumeric_text_stops($0.baseAddress) } == expected)
            #expect(block.withUnsafeBytes { cnumeric_text_stops_portable($0.baseAddress) } == expected)
        }
    }

    @Test("A scaled mantissa is the rounded decimal, wherever both factors are exact")
    func scale() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<20_000 {
            let mantissa = UInt64.random(in: 0...(1 << 53), using: &generator)
            let exponent = Int64.random(in: -22...22, using: &generator)
            #expect(cnumeric_scale(mantissa, exponent) == Double("\(mantissa)e\(exponent)"))
        }
    }
}
