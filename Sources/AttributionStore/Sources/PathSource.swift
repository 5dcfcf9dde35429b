import Attribution
import Base
import Tabular

/// A file of paths as R and Python users have them: `path` (`a > b > c`), `conversions`, and optionally `value` and `nulls`.
///
/// Channels stand between `>`; spaces around them do not count. Without a column of conversions each row is one conversion.
package final class PathSource {
    private let file: CSVTable
    private let path: Int
    private let conversions: Int?
    private let value: Int?
    private let nulls: Int?
    package private(set) var channels: ChannelTable
    private var lookup = NameLookup()
    package private(set) var rows = 0
    /// Empty numbers, and those that say NaN or NA.
    package private(set) var missing = 0
    /// Conversions of rows whose path names no channel.
    package private(set) var withoutPath = 0.0

    package init(_ name: String, channels: ChannelTable) throws(ImpactError) {
        file = try CSVTable(path: name)
        let columns = file.columns.map { $0.lowercased() }
        func find(_ names: String...) -> Int? { names.lazy.compactMap { columns.firstIndex(of: $0) }.first }
        guard let path = find("path", "paths") else {
            throw ImpactError(
                .badInput, code: "csv_column",
                "\(name) has no column 'path'; its columns: \(NameList.text(file.columns, limit: 24))")
        }
        self.path = path
        conversions = find("conversions", "total_conversions", "conversion", "conv")
        value = find("value", "conversion_value", "total_conversion_value", "conversions_value", "revenue")
        nulls = find("nulls", "total_null", "null", "total_nulls")
        self.channels = channels
        for (number, name) in channels.names.enumerated() { lookup.insert(Array(name.utf8), Int32(number)) }
    }

    /// The Markov counts of all rows, where the file can be read in parts.
    func parts(order: Int) -> PathParts.Outcome? {
        PathParts.read(
            file.name,
            .init(path: path, conversions: conversions, value: value, nulls: nulls, count: file.columns.count),
            channels: channels, order: order)
    }

    /// Calls `body` with each row: channels, conversions, their value, and journeys of the path that did not convert.
    package func forEach(
        progress: ((Int) -> Void)? = nil,
        _ body: (UnsafeBufferPointer<Int32>, Double, Double, Double) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        // Locals: each look at a property of a class costs a check of exclusive access.
        let buffer = UnsafeMutablePointer<Int32>.allocate(capacity: file.bufferBytes / 2 + 1)
        defer { buffer.deallocate() }
        let (path, record) = (self.path, file.record)
        var names = lookup
        var row = 0
        defer { (lookup, rows) = (names, row) }
        while try file.advance() {
            row += 1
            if row & 0xFFFF == 0 { progress?(row) }
            let (text, fields) = (file.text, record.all)
            let field = fields[path]
            let length = field.hasDoubledQuotes ? quoted(buffer, &names) : split(text, field, buffer, &names)
            let count = try number(conversions, text, fields) ?? (conversions == nil ? 1 : 0)
            let worth = try number(value, text, fields) ?? 0
            let lost = try number(nulls, text, fields) ?? 0
            guard length > 0 else {
                withoutPath += count
                continue
            }
            try body(UnsafeBufferPointer(start: buffer, count: length), count, worth, lost)
        }
    }

    @inline(__always)
    private func number(
        _ column: Int?, _ text: UnsafeRawBufferPointer, _ fields: UnsafeBufferPointer<CSVRecord.Field>
    ) throws(ImpactError) -> Double? {
        guard let column else { return nil }
        switch CSVDouble.read(text, fields[column]) {
        case .value(let value) where value >= 0 && value <= PathParts.largestNumber: return value
        case .value(let value): throw file.fault(column, value < 0 ? "is negative" : "is more than 10^15")
        case .missing:
            missing += 1
            return 0
        case .notANumber, .outOfRange: throw file.fault(column, "is not a number")
        }
    }

    /// A field with doubled quotes: as a text, for it is rare.
    private func quoted(_ buffer: UnsafeMutablePointer<Int32>, _ names: inout NameLookup) -> Int {
        var length = 0
        for part in file.record.text(file.text, path).split(separator: ">") {
            let name = part.trimming()
            guard !name.isEmpty else { continue }
            buffer[length] = Array(name.utf8).withUnsafeBytes { number($0, &names) }
            length += 1
        }
        return length
    }

    /// Writes the channels of a path, a channel for two bytes at most, and returns how many they are.
    @inline(__always)
    private func split(
        _ text: UnsafeRawBufferPointer, _ field: CSVRecord.Field, _ buffer: UnsafeMutablePointer<Int32>,
        _ names: inout NameLookup
    ) -> Int {
        var start = field.start
        var length = 0
        while start < field.end {
            var end = start
            while end < field.end, text[end] != UInt8(ascii: ">") { end += 1 }
            var (first, last) = (start, end)
            while first < last, text[first] == 0x20 { first += 1 }
            while last > first, text[last - 1] == 0x20 { last -= 1 }
            if last > first {
                let name = UnsafeRawBufferPointer(rebasing: text[first..<last])
                buffer[length] = names.find(name) ?? number(name, &names)
                length += 1
            }
            start = end + 1
        }
        return length
    }

    @inline(never)
    private func number(_ bytes: UnsafeRawBufferPointer, _ names: inout NameLookup) -> Int32 {
        if let known = names.find(bytes) { return known }
        let number = channels.number(of: String(decoding: bytes, as: UTF8.self))
        names.insert(Array(bytes), number)
        return number
    }
}

/// Names by their bytes, without making a String a look-up. A name of up to 16 bytes is two numbers and its length.
struct NameLookup {
    private struct Entry {
        var first: UInt64 = 0
        var last: UInt64 = 0
        /// -1 where nothing stands.
        var length = -1
        var number: Int32 = 0
        /// Of a name that is longer than 16 bytes.
        var bytes: [UInt8] = []
    }

    private var table = [Entry](repeating: Entry(), count: 256)
    private var count = 0

    @inline(__always)
    func find(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        let (first, last) = Self.ends(bytes)
        var place = Self.hash(first, last, bytes.count) & (table.count - 1)
        while table[place].length >= 0 {
            if table[place].first == first, table[place].last == last, table[place].length == bytes.count,
                bytes.count <= 16 || table[place].bytes.elementsEqual(bytes)
            {
                return table[place].number
            }
            place = (place + 1) & (table.count - 1)
        }
        return nil
    }

    mutating func insert(_ name: [UInt8], _ number: Int32) {
        if count * 2 >= table.count {
            let old = table
            table = [Entry](repeating: Entry(), count: old.count * 2)
            for entry in old where entry.length >= 0 { put(entry) }
        }
        let (first, last) = name.withUnsafeBytes { Self.ends($0) }
        put(Entry(first: first, last: last, length: name.count, number: number, bytes: name.count > 16 ? name : []))
        count += 1
    }

    private mutating func put(_ entry: Entry) {
        var place = Self.hash(entry.first, entry.last, entry.length) & (table.count - 1)
        while table[place].length >= 0 { place = (place + 1) & (table.count - 1) }
        table[place] = entry
    }

    /// The first and the last eight bytes, which overlap in a shorter name: with the length they are all of one up to 16.
    @inline(__always)
    private static func ends(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        let count = bytes.count
        if count >= 8 {
            return (
                bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            )
        }
        var word: UInt64 = 0
        for byte in bytes { word = word << 8 | UInt64(byte) }
        return (word, 0)
    }

    @inline(__always)
    private static func hash(_ first: UInt64, _ last: UInt64, _ length: Int) -> Int {
        var hash = first ^ (last << 29 | last >> 35) ^ UInt64(truncatingIfNeeded: length)
        hash = (hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: hash >> 32)
    }
}

extension Substring {
    /// Without the spaces around it.
    fileprivate func trimming() -> String {
        var part = self
        while part.first == " " { part.removeFirst() }
        while part.last == " " { part.removeLast() }
        return String(part)
    }
}
