import CNumeric
import JSON
import Tabular

/// Writes scored rows as CSV or JSON lines into bytes. One a thread.
struct CSVRowWriter {
    let model: Model
    let options: CSVOptions
    let level: ConfidenceLevel
    let header: CSVHeader
    var output: [UInt8] = []
    private(set) var decisions = (treat: 0, suppress: 0, uncertain: 0)
    private let jsonNames: [[UInt8]]

    init(model: Model, options: CSVOptions, level: ConfidenceLevel, header: CSVHeader) {
        self.model = model
        self.options = options
        self.level = level
        self.header = header
        jsonNames = header.names.map { Self.json(Array($0.utf8)[...]) }
    }

    /// The names of the columns that the estimates add.
    static func columns(_ model: Model, covariances: Bool) -> [String] {
        if model.isResponse { return model.responseColumns }
        let main = ["uplift", "std_error", "ci_lower", "ci_upper", "decision"]
        guard model.effectCount > 1 else { return main }
        var names = main + ["treatment", "outcome"]
        for treatment in model.treatments {
            for outcome in model.outcomes {
                names += main.prefix(4).map { "\($0):\(outcome):\(treatment)" }
            }
        }
        return covariances ? names + covarianceColumns(model) : names
    }

    /// The line above the rows; nothing for JSON lines.
    func headerLine() -> [UInt8] {
        guard options.format == .csv else { return [] }
        let added = Self.columns(model, covariances: options.covariances).map(options.field.text).joined(separator: ",")
        var own: [UInt8] = []
        if options.columns == .all {
            let names = header.names.map(options.field.text).joined(separator: ",")
            own = (options.field == .plain ? header.bytes : Array(names.utf8)) + [UInt8(ascii: ",")]
        }
        return own + Array(added.utf8) + [UInt8(ascii: "\n")]
    }

    mutating func begin() {
        output.removeAll(keepingCapacity: true)
        decisions = (0, 0, 0)
    }

    /// Writes one row.
    ///
    /// - Parameters:
    ///   - record: the row's bytes in `text`, without the line break.
    ///   - estimates: `model.effectCount` of them.
    ///   - covariances: as `Scorer.covariances` gives them, when the options ask for them.
    mutating func write(
        _ text: UnsafeRawBufferPointer, _ record: Range<Int>, line: Int, fields: CSVRecord,
        _ estimates: UnsafePointer<Estimate>, _ covariances: UnsafePointer<Double>?
    ) {
        let chosen = decided(estimates)
        let (lower, upper) = level.interval(estimates[chosen])
        let decision =
            model.isResponse
            ? responseDecision(estimates) : Decision(lower: lower, upper: upper, threshold: options.threshold)
        switch decision {
        case .treat: decisions.treat += 1
        case .suppress: decisions.suppress += 1
        case .uncertain: decisions.uncertain += 1
        }
        if options.format == .csv {
            if options.columns == .all {
                writeInput(text, record, fields)
                output.append(UInt8(ascii: ","))
            }
            if model.isResponse {
                writeResponseCSV(estimates, decision)
            } else {
                writeCSV(estimates, chosen, decision)
            }
            if let covariances { writeCSV(covariances) }
        } else {
            writeJSON(text, record, line, fields, estimates, chosen, decision)
            if let covariances { writeJSON(covariances) }
            append("}")
        }
        output.append(UInt8(ascii: "\n"))
    }

    /// The input's columns: as they were, or each as the options want it.
    private mutating func writeInput(_ text: UnsafeRawBufferPointer, _ record: Range<Int>, _ fields: CSVRecord) {
        if options.field == .plain {
            return output.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[record]))
        }
        // The batch has read other records since.
        _ = try? fields.read(text, at: record.lowerBound)
        for column in 0..<fields.count {
            if column > 0 { append(",") }
            options.field.append(fields.text(text, column), to: &output)
        }
    }

    /// The effect that the decision is about: of the first outcome's, the treatment's with the greatest effect.
    private func decided(_ estimates: UnsafePointer<Estimate>) -> Int {
        var best = 0
        for treatment in 1..<max(1, model.treatments.count) {
            let index = model.effectIndex(treatment: treatment, outcome: 0)
            if estimates[index].effect > estimates[best].effect { best = index }
        }
        return best
    }

    private mutating func writeCSV(_ estimates: UnsafePointer<Estimate>, _ chosen: Int, _ decision: Decision) {
        append(estimates[chosen], separator: ",", absent: "")
        output.append(UInt8(ascii: ","))
        append(name(decision))
        guard model.effectCount > 1 else { return }
        for name in [model.treatments[chosen / model.outcomes.count], model.outcomes[0]] {
            append(",")
            options.field.append(name, to: &output)
        }
        for index in 0..<model.effectCount {
            append(",")
            append(estimates[index], separator: ",", absent: "")
        }
    }

    func name(_ decision: Decision) -> StaticString {
        switch decision {
        case .treat: "treat"
        case .suppress: "suppress"
        case .uncertain: "uncertain"
        }
    }

    /// Effect, standard error and interval.
    private mutating func append(_ estimate: Estimate, separator: StaticString, absent: StaticString) {
        append(estimate.effect, absent)
        append(separator)
        append(estimate.standardError, absent)
        append(separator)
        append(level.lower(estimate), absent)
        append(separator)
        append(level.upper(estimate), absent)
    }

    mutating func append(_ value: Double, _ absent: StaticString) {
        guard value.isFinite else { return append(absent) }
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            guard let base = buffer.baseAddress else { return }
            let count = cnumeric_write_double(base, 32, value)
            output.append(contentsOf: UnsafeRawBufferPointer(start: base, count: count))
        }
    }

    mutating func append(_ text: StaticString) {
        output.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ text: String) { output.append(contentsOf: text.utf8) }
}

extension CSVRowWriter {
    private mutating func writeJSON(
        _ text: UnsafeRawBufferPointer, _ record: Range<Int>, _ line: Int, _ fields: CSVRecord,
        _ estimates: UnsafePointer<Estimate>, _ chosen: Int, _ decision: Decision
    ) {
        append("{\"line\":")
        append(String(line))
        if options.columns == .all {
            append(",\"input\":{")
            // The batch has read other records since; cutting this one again is cheaper than keeping all fields.
            _ = try? fields.read(text, at: record.lowerBound)
            for column in 0..<min(fields.count, jsonNames.count) {
                if column > 0 { append(",") }
                output += jsonNames[column]
                append(":")
                let field = fields[column]
                if field.hasDoubledQuotes {
                    output += Self.json(Array(fields.text(text, column).utf8)[...])
                } else {
                    output += Self.json(text[field.start..<field.end])
                }
            }
            append("}")
        }
        append(",")
        if model.isResponse {
            writeResponseJSON(estimates, decision)
            return
        }
        appendJSON(estimates[chosen])
        append(",\"decision\":\"")
        append(name(decision))
        append("\"")
        if model.effectCount > 1 {
            append(",\"treatment\":")
            output += Self.json(Array(model.treatments[chosen / model.outcomes.count].utf8)[...])
            append(",\"outcome\":")
            output += Self.json(Array(model.outcomes[0].utf8)[...])
            append(",\"effects\":[")
            for index in 0..<model.effectCount {
                append(index == 0 ? "{\"treatment\":" : ",{\"treatment\":")
                output += Self.json(Array(model.treatments[index / model.outcomes.count].utf8)[...])
                append(",\"outcome\":")
                output += Self.json(Array(model.outcomes[index % model.outcomes.count].utf8)[...])
                append(",")
                appendJSON(estimates[index])
                append("}")
            }
            append("]")
        }
    }

    private mutating func appendJSON(_ estimate: Estimate) {
        append("\"uplift\":")
        append(estimate.effect, "null")
        append(",\"std_error\":")
        append(estimate.standardError, "null")
        append(",\"ci_lower\":")
        append(level.lower(estimate), "null")
        append(",\"ci_upper\":")
        append(level.upper(estimate), "null")
    }

    /// A JSON string (RFC 8259); bytes that are not UTF-8 become U+FFFD.
    static func json(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var text: [UInt8] = [UInt8(ascii: "\"")]
        text.reserveCapacity(bytes.count + 2)
        let isPlain = bytes.allSatisfy {
            $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        if isPlain {
            text += bytes
        } else {
            for byte in String(decoding: bytes, as: UTF8.self).utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
                case 0..<0x20:
                    let digits = Array("0123456789abcdef".utf8)
                    text += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                default: text.append(byte)
                }
            }
        }
        text.append(UInt8(ascii: "\""))
        return text
    }
}
