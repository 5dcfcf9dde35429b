import Tabular
import TestSupport
import Testing

@Suite struct CSVDoubleTests {
    private func read(_ text: String) -> CSVDouble {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes {
            CSVDouble.read($0, CSVRecord.Field(start: 0, end: bytes.count, hasDoubledQuotes: false))
        }
    }

    @Test func readsNumbersAndMissingValues() {
        for (text, value) in [
            ("1", 1), ("-2.5", -2.5), ("+3", 3), (" 4 ", 4), ("1e3", 1000), (".5", 0.5), ("142.44", 142.44),
            ("0", 0), ("True", 1), ("FALSE", 0), ("1e-400", 0), ("7", 7), ("16777217", 16_777_217),
        ] as [(String, Double)] {
            #expect(read(text) == .value(value), "\(text)")
        }
        for text in ["", " ", "NA", "nan", "NaN", "null"] { #expect(read(text) == .missing, "\(text)") }
        for text in ["abc", "1,5", "12x", "inf", "-inf", "0x10", "--1", "+-1", "+", "1 2", "1e", "é", "nano"] {
            #expect(read(text) == .notANumber, "\(text)")
        }
        for text in ["1e309", "-1e309", "1e999"] { #expect(read(text) == .outOfRange, "\(text)") }
    }

    @Test func readsBackEveryDouble() {
        var generator = SeededGenerator.announced()
        for _ in 0..<2000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            #expect(read("\(value)") == .value(value))
        }
    }
}
