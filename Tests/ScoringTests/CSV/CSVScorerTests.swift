import Base
import CNumeric
import Foundation
import ModelImport
import Scoring
import Synchronization
import TestSupport
import Testing

@Suite struct CSVScorerTests {
    /// A model on x0 … x4 with one arm.
    private let scratch: TemporaryFolder
    private let model: Model

    init() throws {
        scratch = try TemporaryFolder()
        model = try importModel(.econml, resourcePath("econml-weights-min-var.npz"), into: scratch)
    }

    private func run(
        _ text: String, model: Model? = nil, _ change: (inout CSVOptions) -> Void = { _ in }
    ) throws -> (lines: [String], summary: CSVSummary?, error: ImpactError?) {
        var options = CSVOptions()
        change(&options)
        let input = try scratch.write(text, "rows.csv")
        let output = scratch.file("scores")
        let descriptor = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        let scorer = try CSVScorer(model: model ?? self.model, options: options)
        var summary: CSVSummary?
        var failure: ImpactError?
        do throws(ImpactError) { summary = try scorer.run(input: input, output: descriptor) } catch { failure = error }
        // Not String(contentsOfFile:), which takes a byte order mark away.
        let text = String(decoding: try Data(contentsOf: URL(filePath: output)), as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.last == "")
        return (lines.dropLast().map(String.init), summary, failure)
    }

    private func table(_ count: Int, seed: inout SeededGenerator) -> (text: String, rows: [[Double]]) {
        var text = "id,x3,x0,note,x1,x2,x4\n"
        var rows: [[Double]] = []
        for id in 0..<count {
            let row = (0..<5).map { _ in Double(Float.random(in: -3...3, using: &seed)) }
            rows.append(row)
            let note = id % 7 == 0 ? "\"a, \"\"b\"\"\n c\"" : "plain"
            text += "u\(id),\(row[3]),\(row[0]),\(note),\(row[1]),\"\(row[2])\", \(row[4])\n"
        }
        return (text, rows)
    }

    /// Every row gets the engine's numbers, in the order of the file, whatever the chunks, threads and line breaks.
    @Test func scoresEveryRowInOrder() throws {
        var generator = SeededGenerator.announced()
        let (text, rows) = table(3000, seed: &generator)
        let expected = score(model, rows).map { $0[0] }
        let level = ConfidenceLevel.usual
        let tail = expected.map { estimate in
            let (lower, upper) = level.interval(estimate)
            let decision = Decision(lower: lower, upper: upper, threshold: 0)
            return "\(estimate.effect),\(estimate.standardError),\(lower),\(upper),\(decision)"
        }
        for (threads, chunk, mark) in [(1, 1 << 20, ""), (2, 4096, ""), (3, 200, "\u{FEFF}")] {
            let (lines, summary, error) = try run(mark + text) {
                $0.threads = threads
                $0.recordBytes = chunk
            }
            #expect(error == nil)
            #expect(lines[0] == mark + "id,x3,x0,note,x1,x2,x4,uplift,std_error,ci_lower,ci_upper,decision")
            // Rows with a note in two lines take two.
            let whole = lines.dropFirst().joined(separator: "\n").split(separator: "\nu")
            #expect(whole.count == rows.count)
            for (row, line) in whole.enumerated() {
                #expect(line.hasPrefix(row == 0 ? "u0," : "\(row),") && line.hasSuffix("," + normalised(tail[row])))
            }
            #expect(summary?.rows == rows.count && summary?.otherColumns == ["id", "note"])
            #expect(summary?.bytes == (mark + text).utf8.count)
            let decided = (summary?.treat ?? 0) + (summary?.suppress ?? 0) + (summary?.uncertain ?? 0)
            #expect(decided == rows.count)
        }
        let crlf = text.replacing("\n", with: "\r\n").replacing("\r\n c\"", with: "\n c\"")
        let windows = try run(crlf) { $0.columns = .minimal }
        #expect(windows.lines.dropFirst().elementsEqual(tail.map(normalised)))
        #expect(windows.lines[0] == "uplift,std_error,ci_lower,ci_upper,decision")
    }

    /// Swift prints 1e-05 where the writer has the shorter of both forms, and 5.0 for 5.
    private func normalised(_ line: String) -> String {
        line.split(separator: ",").map { word in
            guard let value = Double(word) else { return String(word) }
            var bytes = [CChar](repeating: 0, count: 32)
            let count = cnumeric_write_double(&bytes, 32, value)
            return String(decoding: bytes.prefix(count).map(UInt8.init), as: UTF8.self)
        }.joined(separator: ",")
    }

    @Test func writesJSONLines() throws {
        let (lines, _, error) = try run(
            "x0,x1,x2,x3,x4,\"na\"\"me\"\n1,2,3,0.5,1,\"tab\there \"\"é\"\"\"\n\n0,0,0,0,0,\n"
        ) {
            $0.format = .jsonLines
        }
        #expect(error == nil && lines.count == 2)
        let first = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        let input = try #require(first["input"] as? [String: String])
        #expect(first["line"] as? Int == 2 && input["na\"me"] == "tab\there \"é\"" && input["x3"] == "0.5")
        let estimate = score(model, [[1, 2, 3, 0.5, 1]])[0][0]
        // As text: JSONSerialization on Linux reads doubles some units in the last place off.
        #expect(lines[0].contains(",\"uplift\":\(estimate.effect),\"std_error\":\(estimate.standardError),"))
        #expect(["treat", "suppress", "uncertain"].contains(first["decision"] as? String))
        let second = try #require(try JSONSerialization.jsonObject(with: Data(lines[1].utf8)) as? [String: Any])
        #expect(second["line"] as? Int == 4)
        let minimal = try run("x0,x1,x2,x3,x4\n1,2,3,0.5,1\n") {
            $0.format = .jsonLines
            $0.columns = .minimal
        }
        #expect(minimal.lines[0].hasPrefix("{\"line\":2,\"uplift\":"))
    }

    @Test func severalEffectsAreAllWrittenAndTheBestDecidedOn() throws {
        let other = try TemporaryFolder()
        let model = try importModel(.econml, resourcePath("econml-two-arms-two-outcomes.npz"), into: other)
        let row = [0.25, -1, 2, 0.5, 1]
        let estimates = score(model, [row])[0]
        let (lines, _, error) = try run("x0,x1,x2,x3,x4\n0.25,-1,2,0.5,1\n", model: model) { $0.columns = .minimal }
        #expect(error == nil)
        let names = lines[0].split(separator: ",").map(String.init)
        let values = lines[1].split(separator: ",").map(String.init)
        #expect(names.count == values.count && names.count == 7 + 4 * 4)
        let best = estimates[0].effect >= estimates[2].effect ? 0 : 2
        #expect(values[0] == normalised("\(estimates[best].effect)"))
        #expect(values[5] == model.treatments[best / 2] && values[6] == "Y0")
        let at = try #require(names.firstIndex(of: "uplift:Y1:2"))
        #expect(values[at] == normalised("\(estimates[3].effect)"))
        #expect(values[at + 1] == normalised("\(estimates[3].standardError)"))
    }

    /// The covariance of two arms' effects stands beside them, for each outcome, as the engine gives it.
    @Test func covariancesOfSeveralArmsAreWritten() throws {
        let other = try TemporaryFolder()
        let model = try importModel(.econml, resourcePath("econml-two-arms-two-outcomes.npz"), into: other)
        let text = "x0,x1,x2,x3,x4\n0.25,-1,2,0.5,1\n-1,0.5,0,0.125,-2\n"
        let rows: [[Float]] = [[0.25, -1, 2, 0.5, 1], [-1, 0.5, 0, 0.125, -2]]
        let scorer = Scorer(model: model, maxRows: 1)
        let expected = rows.map { row in
            var matrices = [Double](repeating: 0, count: 2 * 2 * 2)
            scorer.covariances(row: row + [Float](repeating: 0, count: model.rowStride - 5), into: &matrices)
            return [matrices[1], matrices[5]]
        }
        let (lines, _, error) = try run(text, model: model) {
            $0.columns = .minimal
            $0.covariances = true
        }
        #expect(error == nil)
        #expect(lines[0].hasSuffix(",covariance:Y0:1:2,covariance:Y1:1:2"))
        for (line, values) in zip(lines.dropFirst(), expected) {
            #expect(line.split(separator: ",").count == 7 + 4 * 4 + 2)
            #expect(line.hasSuffix("," + normalised("\(values[0]),\(values[1])")))
        }
        let json = try run(text, model: model) {
            $0.format = .jsonLines
            $0.covariances = true
        }
        let value = normalised("\(expected[1][1])")
        #expect(json.lines[1].hasSuffix(#"{"outcome":"Y1","treatments":["1","2"],"covariance":\#(value)}]}"#))
        let refusal = #expect(throws: ImpactError.self) { try run(text) { $0.covariances = true } }
        #expect(refusal?.code == "no_covariance")
    }

    @Test(arguments: [
        ("", "csv_header", "line 1: the file is empty"),
        ("x0,x1,x2,x3\n", "csv_header", "line 1: the model's feature \"x4\" has no column"),
        (
            "x0,x1,x2,X3,x5\n", "csv_header",
            "features \"x3\", \"x4\" have no column; unknown to the model: \"X3\", \"x5\""
        ),
        ("x0;x1;x2;x3;x4\n", "csv_header", "must be separated by commas"),
        ("x0,x1,x2,x3,x4,x0\n", "csv_header", "the column \"x0\" stands there 2 times"),
        ("x0,x1,x2,x3,x4,uplift\n", "csv_header", "line 1, column 6 (\"uplift\"): a column of this name is added"),
        ("x0,x1,x2,x3,x4\n1,2,3,4,5\n1,2,3,4\n", "csv_record", "line 3: 4 fields, but the header names 5 columns"),
        ("x0,x1,x2,x3,x4\n1,2,,4,5\n", "csv_missing", "line 2, column 3 (\"x2\"): a value is missing"),
        ("x0,x1,x2,x3,x4\n1,2,three,4,5\n", "csv_number", "line 2, column 3 (\"x2\"): \"three\" is not a number"),
        ("x0,x1,x2,x3,x4\n1,2,1e99,4,5\n", "csv_number", "line 2, column 3 (\"x2\"): \"1e99\" is too large"),
        ("x0,x1,x2,x3,x4,n\n1,2,3,4,5,\"a\nb\"\n1,2,3,4,5,a\"b\n", "csv_record", "line 4, column 6 (\"n\"): a quote"),
        ("x0,x1,x2,x3,x4,n\n1,2,3,4,5,\"a\nb\n", "csv_record", "line 2, column 6 (\"n\"): the quote that begins"),
        ("x0,x1,x2,x3,x4,n\n1,2,3,4,5,\"a\" b\n", "csv_record", "line 2, column 6 (\"n\"): text after the closing"),
    ])
    func refusesWithLineAndColumn(_ text: String, _ code: String, _ words: String) throws {
        let (_, _, error) = try run(text)
        #expect(error?.code == code && error?.message.contains(words) == true, "\(error?.message ?? "no error")")
        #expect(error?.kind == .badInput)
    }

    /// The rows before one at fault are written, in any number of threads, and the first fault is the one reported.
    @Test func rowsBeforeTheFaultAreWritten() throws {
        var generator = SeededGenerator.announced()
        let (text, _) = table(2000, seed: &generator)
        let broken = text + "last,1,2,x,oops,3,4\n" + text.split(separator: "\n", maxSplits: 1)[1] + "z,1,2,x,bad,3,4\n"
        for (threads, chunk) in [(1, 1 << 20), (3, 512)] {
            let (lines, summary, error) = try run(broken) {
                $0.threads = threads
                $0.recordBytes = chunk
            }
            #expect(summary == nil && error?.message.contains("column 5 (\"x1\"): \"oops\" is not a number") == true)
            let breaks = text.utf8.count { $0 == UInt8(ascii: "\n") }
            #expect(error?.message.contains("line \(breaks + 1), ") == true)
            #expect(lines.count == breaks)
        }
    }

    @Test func aRecordLongerThanTheLimitIsRefused() throws {
        let long = "x0,x1,x2,x3,x4,n\n1,2,3,4,5,\(String(repeating: "a", count: 5000))\n"
        #expect(try run(long) { $0.recordBytes = 1 << 20 }.error == nil)
        let short = try run(long) { $0.recordBytes = 1000 }
        #expect(short.error?.message.contains("line 2: the record that begins here is longer than 1000 bytes") == true)
        let header = try run(long) { $0.recordBytes = 10 }
        #expect(header.error?.message.contains("line 1") == true)
        let quote = "x0,x1,x2,x3,x4,n\n1,2,3,4,5,a\n1,2,3,4,5,\"\(String(repeating: "a\n", count: 5000))"
        let open = try run(quote) { $0.recordBytes = 1000 }
        #expect(open.error?.message.contains("line 3") == true && open.lines.count == 2)
    }

    @Test func missingValuesAreRoutedByModelsThatCan() throws {
        guard let forest = SharedMaterial.path("data/grf/forest_na.txt.gz") else { return }
        let other = try TemporaryFolder()
        let model = try importModel(.grf, forest, into: other)
        let names = model.featureNames.joined(separator: ",")
        let (lines, _, error) = try run("\(names)\n1,,NA,4,5,6,7,8,9,1\n", model: model) { $0.columns = .minimal }
        #expect(error == nil)
        let estimate = score(model, [[1, .nan, .nan, 4, 5, 6, 7, 8, 9, 1]])[0][0]
        #expect(lines[1].hasPrefix(normalised("\(estimate.effect)") + ","))
    }

    @Test func progressCountsRowsAndBytesToTheEnd() throws {
        var generator = SeededGenerator.announced()
        let (text, rows) = table(500, seed: &generator)
        let seen = Mutex<[CSVProgress]>([])
        var options = CSVOptions()
        options.recordBytes = 2048
        let input = try scratch.write(text, "rows.csv")
        let output = open(scratch.file("scores"), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(output) }
        _ = try CSVScorer(model: model, options: options).run(input: input, output: output) { progress in
            seen.withLock { $0.append(progress) }
        }
        let reports = seen.withLock { $0 }
        #expect(reports.count > 5 && reports.allSatisfy { $0.totalBytes == text.utf8.count })
        #expect(zip(reports, reports.dropFirst()).allSatisfy { $0.rows <= $1.rows && $0.bytes <= $1.bytes })
        #expect(reports.last?.rows == rows.count && reports.last?.bytes == text.utf8.count)
    }
}
