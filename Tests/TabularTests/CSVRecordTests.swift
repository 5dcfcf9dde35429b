import Foundation
import Tabular
import TestSupport
import Testing

@Suite struct CSVRecordTests {
    /// All records of a text as fields, or the fault.
    private func cut(_ text: String) throws -> [[String]] {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBytes { bytes in
            let record = CSVRecord()
            var (position, records): (Int, [[String]]) = (0, [])
            while position < bytes.count {
                position = try record.read(bytes, at: position)
                records.append((0..<record.count).map { record.text(bytes, $0) })
            }
            return records
        }
    }

    @Test(arguments: [
        ("a,b,c\n1,2,3\n", [["a", "b", "c"], ["1", "2", "3"]]),
        ("a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]),
        ("1,2", [["1", "2"]]),
        ("1,2\r", [["1", "2"]]),
        (",,\n", [["", "", ""]]),
        ("\"a,b\",\"c\"\"d\",\"e\nf\"\n2\n", [["a,b", "c\"d", "e\nf"], ["2"]]),
        ("\"\",x\n", [["", "x"]]),
        ("\"\"\"\"\n", [["\""]]),
        ("a\rb,c\n", [["a\rb", "c"]]),
        ("\"a\"", [["a"]]),
        ("\n", [[""]]),
    ])
    func cutsAsRFC4180(_ text: String, _ records: [[String]]) throws {
        #expect(try cut(text) == records)
    }

    @Test(arguments: [
        ("a,b\"c\n", CSVRecord.Fault.Reason.quoteInsideField, 1, 0),
        ("\"a\"b,c\n", .textAfterQuote, 0, 0),
        ("a,\"x\ny\",\"b", .quoteNotClosed, 2, 1),
        ("\"a\nb\"c", .textAfterQuote, 0, 1),
    ])
    func refusesBrokenQuotes(_ text: String, _ reason: CSVRecord.Fault.Reason, _ field: Int, _ breaks: Int) throws {
        do {
            let records = try cut(text)
            Issue.record("read as \(records)")
        } catch let fault as CSVRecord.Fault {
            #expect(fault.reason == reason && fault.field == field && fault.breaks == breaks)
        }
    }

    /// What is quoted field by field reads back, whatever the fields hold.
    @Test func readsBackWhatWasQuoted() throws {
        var generator = SeededGenerator.announced()
        let alphabet = Array(",\"\n\r aé1")
        for _ in 0..<300 {
            let records = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                (0..<3).map { _ in
                    String(
                        (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                            alphabet.randomElement(using: &generator)!
                        })
                }
            }
            let text = records.map { record in
                record.map { "\"\($0.replacing("\"", with: "\"\""))\"" }.joined(separator: ",")
            }.joined(separator: Bool.random(using: &generator) ? "\n" : "\r\n")
            #expect(try cut(text) == records)
        }
    }
}
