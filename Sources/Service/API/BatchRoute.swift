import Base
import JSON
import Scoring
import Tabular

/// `POST /v1/score/batch`: 1 to 10,000 people as JSON, JSON lines or CSV; the answer keeps their order.
struct BatchRoute: Sendable {
    let served: ServedModel

    static let maxRows = 10_000
    static let maxBodyBytes = 16 << 20

    func answer(_ exchange: Exchange) throws(Problem) {
        let session = ScoringSession.of(exchange, served)
        let type = exchange.bodyType ?? .json
        exchange.type = try Self.answerType(exchange, asked: type)
        var rows = BatchRows(session: session, out: exchange.out, format: exchange.type)
        rows.begin()
        switch type {
        case .jsonLines: try readLines(exchange, &rows)
        case .csv: try readCSV(exchange, &rows)
        default: try readJSON(exchange, &rows)
        }
        try rows.finish()
    }

    /// The type that `Accept` asks for; without a wish the request's own.
    private static func answerType(_ exchange: Exchange, asked: MediaType) throws(Problem) -> MediaType {
        guard let accept = exchange.header("Accept") else { return asked }
        if let type = accepted(accept, asked: asked) { return type }
        throw Problem(
            406, "not_acceptable", "the scores can be application/json, application/x-ndjson or text/csv",
            field: "Accept")
    }

    /// The type of the largest weight (RFC 9110, 12.5.1); of equals the request's own, then the first named. Nil: none.
    static func accepted(_ accept: String, asked: MediaType) -> MediaType? {
        let types: [MediaType] = [asked] + [.json, .jsonLines, .csv].filter { $0 != asked }
        var weights = [Double](repeating: -1, count: types.count)
        var precision = [Int](repeating: -1, count: types.count)
        var order = [Int](repeating: .max, count: types.count)
        for (place, part) in accept.split(separator: ",").enumerated() {
            let fields = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let range = fields.first else { continue }
            let weight = fields.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            for (index, type) in types.enumerated() {
                let own = "\(type.text)".prefix { $0 != ";" }
                let matched =
                    range == "*/*"
                    ? 0
                    : range == own.prefix { $0 != "/" } + "/*"
                        ? 1
                        : MediaType(header: range) == type ? 2 : -1
                guard matched > precision[index] else { continue }
                (weights[index], precision[index], order[index]) = (weight, matched, place)
            }
        }
        let best = types.indices.filter { weights[$0] > 0 }.max { one, other in
            // A type that is named precedes one that only a range covers.
            (weights[one], precision[one], -order[one], -one) < (
                weights[other], precision[other], -order[other], -other
            )
        }
        return best.map { types[$0] }
    }

    // MARK: JSON

    private func readJSON(_ exchange: Exchange, _ rows: inout BatchRows) throws(Problem) {
        var scanner = JSONScanner(exchange.body, maxDepth: 16)
        var hasRows = false
        var more = try ScoreRoute.enter(&scanner)
        while more {
            let name: JSONScanner.Text
            do throws(InputError) { name = try scanner.scanName() } catch { throw Problem(error) }
            guard rows.session.text(scanner, name) == "rows" else {
                throw ScoreRoute.unknownMember(rows.session.text(scanner, name), ["rows"])
            }
            if hasRows { throw ScoreRoute.twice("rows") }
            hasRows = true
            var another = try ScoreRoute.enterArray(&scanner, "rows")
            while another {
                try readObject(&scanner, &rows)
                another = try ScoreRoute.nextElement(&scanner, "rows")
            }
            more = try ScoreRoute.next(&scanner)
        }
        do throws(InputError) { try scanner.expectEnd() } catch { throw Problem(error) }
        if !hasRows { throw Problem(422, "missing_field", "give \"rows\", an array of objects", field: "rows") }
    }

    private func readLines(_ exchange: Exchange, _ rows: inout BatchRows) throws(Problem) {
        var position = 0
        let body = exchange.body
        while position < body.count {
            let end = body[position...].firstIndex(of: 0x0A) ?? body.count
            let line = UnsafeRawBufferPointer(rebasing: body[position..<end])
            position = end + 1
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
            var scanner = JSONScanner(line, maxDepth: 16)
            scanner.skipWhitespace()
            try readObject(&scanner, &rows)
            do throws(InputError) { try scanner.expectEnd() } catch {
                throw Problem(error, field: "rows[\(rows.total - 1)]")
            }
        }
    }

    /// One row: `{"name":value,…}`, or `{"user_id":…,"features":{…}}`.
    private func readObject(_ scanner: inout JSONScanner, _ rows: inout BatchRows) throws(Problem) {
        let row = try rows.next()
        let session = rows.session
        let index = rows.total - 1
        guard scanner.current == 0x7B else { throw ScoreRoute.notAnObject(scanner, "rows[\(index)]") }
        var more = try ScoreRoute.enter(&scanner)
        var expected = 0
        while more {
            let name: JSONScanner.Text
            do throws(InputError) { name = try scanner.scanName() } catch {
                throw Problem(error, field: "rows[\(index)]")
            }
            let bytes = scanner.decoded(name, session.scratch)
            let feature = served.names.find(bytes, expected: expected)
            if feature >= 0 {
                expected = feature + 1
                do throws(InputError) { try session.readValue(&scanner, feature, into: row) } catch {
                    throw served.problem(error, field: "rows[\(index)].\(session.text(scanner, name))")
                }
            } else if case let column = session.isText(bytes), column >= 0 {
                do throws(InputError) { try session.readText(&scanner, column, into: row) } catch {
                    throw served.problem(error, field: "rows[\(index)].\(session.text(scanner, name))")
                }
            } else if bytes.elementsEqual("user_id".utf8) {
                rows.setUser(try session.readUser(&scanner, field: "rows[\(index)].user_id"))
            } else if bytes.elementsEqual("features".utf8), scanner.current == 0x7B {
                try session.readFeatures(&scanner, into: row, place: "rows[\(index)].features")
            } else {
                throw served.unknownFeature(session.text(scanner, name), place: "rows[\(index)]")
            }
            more = try ScoreRoute.next(&scanner)
        }
        session.complete(row)
    }

    // MARK: CSV

    private func readCSV(_ exchange: Exchange, _ rows: inout BatchRows) throws(Problem) {
        let text = exchange.body
        let session = rows.session
        let record = session.record
        var position = text.starts(with: [0xEF, 0xBB, 0xBF] as [UInt8]) ? 3 : 0
        var line = 1
        func cut() throws(Problem) {
            do { position = try record.read(text, at: position) } catch {
                throw Problem(
                    422, "csv_record",
                    "line \(line + error.breaks), column \(error.field + 1): a quote is in the wrong place or not closed"
                )
            }
        }
        guard !text.isEmpty else {
            throw Problem(400, "empty_body", "the body is empty; its first line names the columns")
        }
        if let fault = text.firstInvalidUTF8 {
            throw Problem(InputError(.invalidUTF8, position: fault))
        }
        try cut()
        let names = (0..<record.count).map { record.trimmedText(text, $0) }
        line += 1 + record.innerBreaks
        var columns: [Int] = []
        // Columns of texts behind features `column=text`.
        var texts: [(column: Int, text: Int)] = []
        var userColumn: Int?
        var used: Set<Int> = []
        for name in names {
            let text = Array(name.utf8).withUnsafeBytes { session.isText($0) }
            if text >= 0 {
                for member in served.values.textColumns[text].members where !used.insert(member.feature).inserted {
                    throw ScoreRoute.twice(name)
                }
                texts.append((columns.count, text))
                columns.append(-1)
                continue
            }
            let feature = Array(name.utf8).withUnsafeBytes { session.isFeature($0) }
            if feature >= 0, !used.insert(feature).inserted { throw ScoreRoute.twice(name) }
            if feature < 0, name == "user_id" {
                if userColumn != nil { throw ScoreRoute.twice(name) }
                userColumn = columns.count
            }
            columns.append(feature)
        }
        // As `model score` carries other columns along: when every feature has its own, none of them is a slip of the pen.
        if used.count < served.model.featureCount,
            let stranger = names.indices.first(where: { index in
                columns[index] < 0 && index != userColumn && !texts.contains { $0.column == index }
            })
        {
            throw served.unknownFeature(names[stranger], place: "")
        }
        guard !used.isEmpty else {
            throw Problem(422, "csv_header", "the first line names no feature of the model; GET /v1/model lists them")
        }
        while position < text.count {
            try cut()
            defer { line += 1 + record.innerBreaks }
            if record.start == record.end { continue }
            guard record.count == names.count else {
                throw Problem(
                    422, "csv_record",
                    "line \(line) has \(record.count) fields, but the first line names \(names.count)")
            }
            let row = try rows.next()
            for (column, feature) in columns.enumerated() where feature >= 0 {
                if !served.isCategory.isEmpty, served.isCategory[feature] {
                    row[feature] = served.values.value(feature: feature, text: record.text(text, column)) ?? .nan
                } else {
                    row[feature] = try Self.number(text, record[column], line: line, name: names[column])
                }
            }
            for (column, place) in texts {
                let own = Array(record.text(text, column).utf8)
                own.withUnsafeBytes { served.values.set(row, column: place, text: $0) }
            }
            served.values.complete(row) { used.contains($0) }
            if let userColumn {
                let start = session.users.count
                var user = record.text(text, userColumn)
                user.withUTF8 { session.users.append(UnsafeRawBufferPointer($0)) }
                if session.users.count - start > 256 {
                    throw Problem(
                        422, InputErrorCode.userIDTooLong.name,
                        "line \(line): \(InputErrorCode.userIDTooLong.explanation)", field: "user_id")
                }
                if session.users.count > start { rows.setUser(start..<session.users.count) }
            }
        }
    }

    /// As `model score` reads a field: a double, rounded once more to float32.
    private static func number(
        _ text: UnsafeRawBufferPointer, _ field: CSVRecord.Field, line: Int, name: String
    ) throws(Problem) -> Float {
        switch CSVDouble.read(text, field) {
        case .value(let value):
            let float = Float(value)
            if float.isFinite { return float }
        case .missing: return .nan
        case .notANumber:
            let shown = String(decoding: text[field.start..<min(field.end, field.start + 40)], as: UTF8.self)
            throw Problem(422, "csv_number", "line \(line): \"\(shown)\" is not a number", field: name)
        case .outOfRange: break
        }
        throw Problem(422, "number_out_of_range", "line \(line): the number does not fit a float32", field: name)
    }
}

extension UnsafeRawBufferPointer {
    /// The place of the first byte that is not UTF-8; nil when all are.
    fileprivate var firstInvalidUTF8: Int? {
        var (position, decoder, iterator) = (0, UTF8.ForwardParser(), makeIterator())
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let scalar): position += scalar.count
            case .emptyInput: return nil
            case .error: return position
            }
        }
    }
}

/// The rows of a batch: scored and written a block at a time, so that memory does not grow with the request.
private struct BatchRows {
    let session: ScoringSession
    let out: ByteBuffer
    let format: MediaType
    /// Rows read, and those of them that wait in the block.
    private(set) var total = 0
    private var pending = 0
    private var users: [Range<Int>?] = []

    init(session: ScoringSession, out: ByteBuffer, format: MediaType) {
        self.session = session
        self.out = out
        self.format = format
        session.users.removeAll()
    }

    /// What stands before the scores.
    func begin() {
        switch format {
        case .csv: CSVScores.writeHeader(session.served.model, into: out)
        case .jsonLines: break
        default: out.append("{\"scores\":[")
        }
    }

    /// A cleared row for the next person.
    mutating func next() throws(Problem) -> UnsafeMutablePointer<Float> {
        if total == BatchRoute.maxRows {
            throw Problem(413, "too_many_rows", "at most \(BatchRoute.maxRows) rows are scored at once", field: "rows")
        }
        if pending == ScoringSession.block { try flush() }
        let row = session.row(pending)
        session.clear(row)
        pending += 1
        total += 1
        users.append(nil)
        return row
    }

    mutating func setUser(_ range: Range<Int>) { users[pending - 1] = range }

    mutating func finish() throws(Problem) {
        guard total > 0 else {
            throw Problem(422, "no_rows", "there is no row to score; give 1 to 10,000", field: "rows")
        }
        try flush()
        if format == .json { out.append("]}") }
    }

    private mutating func flush() throws(Problem) {
        let first = total - pending
        try session.score(pending) { "rows[\(first + $0)]" }
        for row in 0..<pending {
            let user = users[row].map { session.users.bytes($0) }
            switch format {
            case .csv: CSVScores.write(session, row, into: out)
            case .jsonLines:
                session.write(row, user: user, into: out)
                out.append("\n")
            default:
                if first + row > 0 { out.append(",") }
                session.write(row, user: user, into: out)
            }
        }
        pending = 0
        users.removeAll(keepingCapacity: true)
        session.users.removeAll()
    }
}
