/// Cuts one CSV record (RFC 4180) into fields without copying.
///
/// Fields are separated by commas; a field in double quotes may hold commas, line breaks and quotes (doubled). A record
/// ends with `\n` or `\r\n`, or with the text. Not Sendable: reused by one thread.
package final class CSVRecord {
    /// A field's bytes without its quotes.
    package struct Field {
        package var start: Int
        package var end: Int
        /// Inside the field stand doubled quotes that mean one.
        package var hasDoubledQuotes: Bool

        package init(start: Int, end: Int, hasDoubledQuotes: Bool) {
            self.start = start
            self.end = end
            self.hasDoubledQuotes = hasDoubledQuotes
        }
    }

    /// Why a record is refused, and where.
    package struct Fault: Error {
        package enum Reason {
            case quoteInsideField, textAfterQuote, quoteNotClosed
        }
        package var reason: Reason
        /// The field, counted from 0, and the byte of the text.
        package var field: Int
        package var position: Int
        /// Line breaks of the record before that place.
        package var breaks: Int
    }

    package private(set) var count = 0
    /// The record's bytes, its line break excluded.
    package private(set) var start = 0
    package private(set) var end = 0
    /// Line breaks inside quotes.
    package private(set) var innerBreaks = 0
    /// Owned; freed in `deinit`.
    private var fields: UnsafeMutablePointer<Field>
    private var capacity = 64

    package init() { fields = .allocate(capacity: capacity) }

    deinit { fields.deallocate() }

    package subscript(index: Int) -> Field {
        precondition(index >= 0 && index < count)
        return fields[index]
    }

    /// All fields, until the next record is read: for those who look at several.
    package var all: UnsafeBufferPointer<Field> { UnsafeBufferPointer(start: fields, count: count) }

    private func grow(_ count: Int) -> UnsafeMutablePointer<Field> {
        let larger = UnsafeMutablePointer<Field>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: fields, count: count)
        fields.deallocate()
        fields = larger
        capacity *= 2
        return larger
    }

    /// Reads the record that starts at `position` and returns where the next one starts.
    package func read(_ text: UnsafeRawBufferPointer, at position: Int) throws(Fault) -> Int {
        innerBreaks = 0
        start = position
        // Locals: each look at a property of a class costs a check of exclusive access.
        var (fields, capacity, count, at) = (self.fields, self.capacity, 0, position)
        while true {
            if count == capacity {
                fields = grow(count)
                capacity = self.capacity
            }
            if at < text.count, text[at] == UInt8(ascii: "\"") {
                at = try quoted(text, at + 1, fields + count, count)
            } else {
                let start = at
                at = try Self.plain(text, at, count, innerBreaks)
                (fields + count).initialize(to: Field(start: start, end: at, hasDoubledQuotes: false))
            }
            count += 1
            if at < text.count, text[at] == UInt8(ascii: ",") {
                at += 1
                continue
            }
            self.count = count
            end = at
            if at < text.count, text[at] == UInt8(ascii: "\r") { at += 1 }
            return min(at + 1, text.count)
        }
    }

    /// The end of a field without quotes: the comma or the end of the record.
    @inline(__always)
    private static func plain(
        _ text: UnsafeRawBufferPointer, _ start: Int, _ field: Int, _ breaks: Int
    ) throws(Fault) -> Int {
        var at = start
        while at < text.count {
            let byte = text[at]
            // Every byte that may end a field lies below the comma's.
            if byte <= UInt8(ascii: ",") {
                if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\n") { break }
                if byte == UInt8(ascii: "\r"), at + 1 == text.count || text[at + 1] == UInt8(ascii: "\n") { break }
                if byte == UInt8(ascii: "\"") { throw fault(.quoteInsideField, field, at, breaks) }
            }
            at += 1
        }
        return at
    }

    /// A field whose opening quote stands before `start`; returns the byte after its closing quote.
    private func quoted(
        _ text: UnsafeRawBufferPointer, _ start: Int, _ place: UnsafeMutablePointer<Field>, _ field: Int
    ) throws(Fault) -> Int {
        var at = start
        var doubled = false
        let breaksBefore = innerBreaks
        while at < text.count {
            guard text[at] == UInt8(ascii: "\"") else {
                if text[at] == UInt8(ascii: "\n") { innerBreaks += 1 }
                at += 1
                continue
            }
            if at + 1 < text.count, text[at + 1] == UInt8(ascii: "\"") {
                doubled = true
                at += 2
                continue
            }
            place.initialize(to: Field(start: start, end: at, hasDoubledQuotes: doubled))
            at += 1
            guard at == text.count || [UInt8(ascii: ","), UInt8(ascii: "\n"), UInt8(ascii: "\r")].contains(text[at])
            else { throw Self.fault(.textAfterQuote, field, at, innerBreaks) }
            return at
        }
        throw Self.fault(.quoteNotClosed, field, start - 1, breaksBefore)
    }

    private static func fault(_ reason: Fault.Reason, _ field: Int, _ position: Int, _ breaks: Int) -> Fault {
        Fault(reason: reason, field: field, position: position, breaks: breaks)
    }

    /// A field as text, doubled quotes resolved; for headers and messages.
    package func text(_ text: UnsafeRawBufferPointer, _ index: Int) -> String {
        let field = self[index]
        let plain = String(decoding: text[field.start..<field.end], as: UTF8.self)
        return field.hasDoubledQuotes ? plain.replacing("\"\"", with: "\"") : plain
    }
}
