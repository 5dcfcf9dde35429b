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

    /// Calls `body` with each row: channels, conversions, their value, and journeys of the path that did not convert.
    package func forEach(
        progress: ((Int) -> Void)? = nil,
        _ body: (UnsafeBufferPointer<Int32>, Double, Double, Double) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        var buffer: [Int32] = []
        while try file.advance() {
            rows += 1
            if rows & 0xFFFF == 0 { progress?(rows) }
            buffer.removeAll(keepingCapacity: true)
            try split(&buffer)
            let count = try number(conversions) ?? (conversions == nil ? 1 : 0)
            let worth = try number(value) ?? 0
            let lost = try number(nulls) ?? 0
            guard !buffer.isEmpty else { continue }
            try unsafe(buffer, count, worth, lost, body)
        }
    }

    private func unsafe(
        _ buffer: [Int32], _ count: Double, _ worth: Double, _ lost: Double,
        _ body: (UnsafeBufferPointer<Int32>, Double, Double, Double) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        var failed: ImpactError?
        buffer.withUnsafeBufferPointer { pointer in
            do throws(ImpactError) { try body(pointer, count, worth, lost) } catch { failed = error }
        }
        if let failed { throw failed }
    }

    private func number(_ column: Int?) throws(ImpactError) -> Double? {
        guard let column else { return nil }
        switch CSVDouble.read(file.text, file.record[column]) {
        case .value(let value) where value >= 0: return value
        case .value: throw file.fault(column, "is negative")
        case .missing: return 0
        case .notANumber, .outOfRange: throw file.fault(column, "is not a number")
        }
    }

    private func split(_ channels: inout [Int32]) throws(ImpactError) {
        let field = file.record[path]
        if field.hasDoubledQuotes {
            for part in file.record.text(file.text, path).split(separator: ">") {
                let name = part.trimming()
                if !name.isEmpty { channels.append(self.channels.number(of: name)) }
            }
            return
        }
        let text = file.text
        var start = field.start
        while start < field.end {
            var end = start
            while end < field.end, text[end] != UInt8(ascii: ">") { end += 1 }
            var (first, last) = (start, end)
            while first < last, text[first] == 0x20 { first += 1 }
            while last > first, text[last - 1] == 0x20 { last -= 1 }
            if last > first { channels.append(number(UnsafeRawBufferPointer(rebasing: text[first..<last]))) }
            start = end + 1
        }
    }

    private func number(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        if let known = lookup.find(bytes) { return known }
        let number = channels.number(of: String(decoding: bytes, as: UTF8.self))
        lookup.insert(Array(bytes), number)
        return number
    }
}

/// Names by their bytes, without making a String a look-up.
struct NameLookup {
    private var names: [[UInt8]] = []
    private var numbers: [Int32] = []
    private var table = [Int32](repeating: -1, count: 256)

    func find(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        var place = Self.hash(bytes) & (table.count - 1)
        while table[place] >= 0 {
            let entry = Int(table[place])
            if names[entry].count == bytes.count, names[entry].elementsEqual(bytes) { return numbers[entry] }
            place = (place + 1) & (table.count - 1)
        }
        return nil
    }

    mutating func insert(_ name: [UInt8], _ number: Int32) {
        if names.count * 2 >= table.count {
            table = [Int32](repeating: -1, count: table.count * 2)
            for index in names.indices { put(Int32(index)) }
        }
        names.append(name)
        numbers.append(number)
        put(Int32(names.count - 1))
    }

    private mutating func put(_ entry: Int32) {
        var place = names[Int(entry)].withUnsafeBytes { Self.hash($0) } & (table.count - 1)
        while table[place] >= 0 { place = (place + 1) & (table.count - 1) }
        table[place] = entry
    }

    @inline(__always)
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash ^ hash >> 31)
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
