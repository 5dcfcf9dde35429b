import Attribution
import Base
import Foundation
import Tabular

/// The Markov counts of a plain file of paths, read in parts on all processors.
///
/// Parts end at line breaks outside quotes and do not depend on the number of processors, and channels are numbered as they come,
/// so the result is the one of ``PathSource``. What is out of the ordinary in a part (a fault, a quoted path with quotes in it)
/// makes the whole go through ``PathSource``, which says what is wrong and where.
package struct PathParts {
    package struct Columns {
        var path: Int
        var conversions: Int?
        var value: Int?
        var nulls: Int?
        var count: Int

        package init(path: Int, conversions: Int?, value: Int?, nulls: Int?, count: Int) {
            self.path = path
            self.conversions = conversions
            self.value = value
            self.nulls = nulls
            self.count = count
        }
    }

    package struct Outcome {
        package var counts: MarkovCounts
        package var channels: ChannelTable
        package var conversions = 0.0
        package var value = 0.0
        package var rows = 0
        package var missing = 0
        package var withoutPath = 0.0
    }

    package static let partBytes = 4 << 20
    /// Sums of larger numbers would lose their units.
    static let largestNumber = 1e15

    /// - Parameter name: a file that can be mapped; others, and compressed ones, give nil.
    package static func read(
        _ name: String, _ columns: Columns, channels: ChannelTable, order: Int, partBytes: Int = Self.partBytes,
        threads: Int = Parallel.processors
    ) -> Outcome? {
        guard name != "-", let file = try? MappedFile(path: name), let base = file.bytes.baseAddress else { return nil }
        return withExtendedLifetime(file) {
            let bytes = base.assumingMemoryBound(to: UInt8.self)
            let size = file.bytes.count
            // gzip, zstd.
            guard size > 4, !(bytes[0] == 0x1F && bytes[1] == 0x8B), !(bytes[0] == 0x28 && bytes[1] == 0xB5),
                let begin = Self.afterHeading(bytes, size)
            else { return nil }
            let count = max(1, (size - begin + partBytes - 1) / partBytes)
            // Whether an odd number of quotes stands before each part: then its first line breaks are inside quotes.
            var quotes = [Int](repeating: 0, count: count)
            func range(_ part: Int) -> Range<Int> {
                (begin + part * partBytes)..<min(size, begin + (part + 1) * partBytes)
            }
            quotes.withUnsafeMutableBufferPointer { quotes in
                // Each part writes to its own place.
                nonisolated(unsafe) let (quotes, bytes) = (quotes, bytes)
                Parallel.forEach(count, threads: threads) { part in quotes[part] = Self.quotes(bytes, range(part)) }
            }
            var starts = [begin]
            var before = 0
            for part in 1..<max(2, count) where part < count {
                before += quotes[part - 1]
                starts.append(Self.recordStart(bytes, size, from: range(part).lowerBound, isQuoted: before % 2 == 1))
            }
            starts.append(size)
            var parts = [PathPart?](repeating: nil, count: count)
            parts.withUnsafeMutableBufferPointer { parts in
                // Each part writes to its own place.
                nonisolated(unsafe) let (parts, bytes) = (parts, bytes)
                let starts = starts
                Parallel.forEach(count, threads: threads) { part in
                    var read = PathPart(columns, order: order)
                    // A record may be longer than a part: then the next one begins where this one does, or before.
                    let range = starts[part]..<max(starts[part], starts[part + 1])
                    if read.read(bytes, range, size) { parts[part] = read }
                }
            }
            var outcome = Outcome(counts: MarkovCounts(order: order), channels: channels)
            for part in parts {
                guard let part else { return nil }
                let numbers = part.names.map { outcome.channels.number(of: String(decoding: $0, as: UTF8.self)) }
                outcome.counts.add(part.counts, channels: numbers)
                outcome.conversions += part.conversions
                outcome.value += part.value
                outcome.rows += part.rows
                outcome.missing += part.missing
                outcome.withoutPath += part.withoutPath
            }
            return outcome
        }
    }

    /// The byte after the heading; nil where it is quoted over lines.
    private static func afterHeading(_ bytes: UnsafePointer<UInt8>, _ size: Int) -> Int? {
        guard let end = (0..<min(size, 1 << 16)).first(where: { bytes[$0] == UInt8(ascii: "\n") }) else { return nil }
        return quotes(bytes, 0..<end) % 2 == 0 ? end + 1 : nil
    }

    private static func quotes(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int {
        var (at, count) = (range.lowerBound, 0)
        while at < range.upperBound, let found = memchr(bytes + at, 0x22, range.upperBound - at) {
            count += 1
            at = found.assumingMemoryBound(to: UInt8.self) - UnsafeMutablePointer(mutating: bytes) + 1
        }
        return count
    }

    /// The first record that begins at or after a place inside the file.
    private static func recordStart(
        _ bytes: UnsafePointer<UInt8>, _ size: Int, from place: Int, isQuoted: Bool
    ) -> Int {
        var isQuoted = isQuoted
        // A record that begins right here follows a line break outside quotes.
        if !isQuoted, bytes[place - 1] == UInt8(ascii: "\n") { return place }
        var at = place
        while at < size {
            if bytes[at] == UInt8(ascii: "\"") { isQuoted.toggle() }
            if !isQuoted, bytes[at] == UInt8(ascii: "\n") { return at + 1 }
            at += 1
        }
        return size
    }
}

/// One part of the file, with channels numbered as they come in it.
private struct PathPart {
    private(set) var names: [[UInt8]] = []
    private(set) var counts: MarkovCounts
    private(set) var conversions = 0.0
    private(set) var value = 0.0
    private(set) var rows = 0
    private(set) var missing = 0
    private(set) var withoutPath = 0.0
    private let columns: PathParts.Columns
    private var lookup = NameLookup()

    init(_ columns: PathParts.Columns, order: Int) {
        self.columns = columns
        counts = MarkovCounts(order: order)
    }

    /// - Returns: false where something is out of the ordinary.
    mutating func read(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>, _ size: Int) -> Bool {
        let path = UnsafeMutablePointer<Int32>.allocate(capacity: 1 << 16)
        defer { path.deallocate() }
        let text = UnsafeRawBufferPointer(start: bytes, count: size)
        var at = range.lowerBound
        while at < range.upperBound {
            if bytes[at] == UInt8(ascii: "\n"), columns.count > 1 {
                at += 1
                continue
            }
            if bytes[at] == UInt8(ascii: "\r"), at + 1 < size, bytes[at + 1] == UInt8(ascii: "\n"), columns.count > 1 {
                at += 2
                continue
            }
            var length = 0
            var (count, worth, lost) = (columns.conversions == nil ? 1.0 : 0.0, 0.0, 0.0)
            for column in 0..<columns.count {
                if at < size, bytes[at] == UInt8(ascii: "\"") {
                    // Quoted: the closing quote is the next one, and what follows it ends the field.
                    guard let found = memchr(bytes + at + 1, 0x22, size - at - 1) else { return false }
                    let close = found.assumingMemoryBound(to: UInt8.self) - UnsafeMutablePointer(mutating: bytes)
                    guard close + 1 == size || close + 1 < size && Self.endsField(bytes, close + 1, size) else {
                        return false
                    }
                    if column == columns.path {
                        guard let split = split(bytes, at + 1, close, path) else { return false }
                        length = split
                    } else if !number(column, text, at + 1, close, &count, &worth, &lost) {
                        return false
                    }
                    at = close + 1
                } else {
                    let start = at
                    guard let end = Self.fieldEnd(bytes, start, size) else { return false }
                    if column == columns.path {
                        guard let split = split(bytes, start, end, path) else { return false }
                        length = split
                    } else if !number(column, text, start, end, &count, &worth, &lost) {
                        return false
                    }
                    at = end
                }
                let isLast = column == columns.count - 1
                if at < size, bytes[at] == UInt8(ascii: ",") {
                    if isLast { return false }
                    at += 1
                } else {
                    if !isLast { return false }
                    if at < size, bytes[at] == UInt8(ascii: "\r") { at += 1 }
                    at += 1
                }
            }
            rows += 1
            guard length > 0 else {
                withoutPath += count
                continue
            }
            counts.add(UnsafeBufferPointer(start: path, count: length), conversions: count, nulls: lost)
            conversions += count
            value += worth
        }
        return true
    }

    @inline(__always)
    private mutating func number(
        _ column: Int, _ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ count: inout Double,
        _ worth: inout Double, _ lost: inout Double
    ) -> Bool {
        guard column == columns.conversions || column == columns.value || column == columns.nulls else { return true }
        let field = CSVRecord.Field(start: start, end: end, hasDoubledQuotes: false)
        var number = 0.0
        switch CSVDouble.read(text, field) {
        case .value(let value) where value >= 0 && value <= PathParts.largestNumber: number = value
        case .missing: missing += 1
        default: return false
        }
        if column == columns.conversions {
            count = number
        } else if column == columns.value {
            worth = number
        } else {
            lost = number
        }
        return true
    }

    /// Where a field without quotes ends; nil where a quote stands in it.
    @inline(__always)
    private static func fieldEnd(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ size: Int) -> Int? {
        var at = start
        while true {
            at = next(bytes, at, size)
            guard at < size else { return size }
            if endsField(bytes, at, size) { return at }
            if bytes[at] == UInt8(ascii: "\"") { return nil }
            at += 1
        }
    }

    @inline(__always)
    private static func endsField(_ bytes: UnsafePointer<UInt8>, _ at: Int, _ size: Int) -> Bool {
        switch bytes[at] {
        case UInt8(ascii: ","), UInt8(ascii: "\n"): true
        case UInt8(ascii: "\r"): at + 1 == size || bytes[at + 1] == UInt8(ascii: "\n")
        default: false
        }
    }

    /// The first byte at or after a place that is `>`, or not above the comma, below which all lie that may end a field.
    @inline(__always)
    private static func next(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        var at = start
        // Eight bytes at a time. A byte below 0x2D borrows into its highest bit, and so does a zero byte when 1 is taken: the
        // lowest bit that is set is always right.
        let (ones, highs) = (0x0101_0101_0101_0101 as UInt64, 0x8080_8080_8080_8080 as UInt64)
        while at + 8 <= end {
            let block = UInt64(littleEndian: UnsafeRawPointer(bytes + at).loadUnaligned(as: UInt64.self))
            let arrows = block ^ (ones &* UInt64(UInt8(ascii: ">")))
            let found =
                ((block &- ones &* UInt64(UInt8(ascii: ",") + 1)) & ~block | (arrows &- ones) & ~arrows) & highs
            if found != 0 { return at + found.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < end, bytes[at] > UInt8(ascii: ","), bytes[at] != UInt8(ascii: ">") { at += 1 }
        return at
    }

    /// Writes the channels of a path and returns how many they are; nil for more than there is room for.
    @inline(__always)
    private mutating func split(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ path: UnsafeMutablePointer<Int32>
    ) -> Int? {
        guard end - start < 1 << 17 else { return nil }
        var (start, length) = (start, 0)
        while start < end {
            while start < end, bytes[start] == 0x20 { start += 1 }
            var stop = Self.next(bytes, start, end)
            while stop < end, bytes[stop] != UInt8(ascii: ">") { stop = Self.next(bytes, stop + 1, end) }
            var last = stop
            while last > start, bytes[last - 1] == 0x20 { last -= 1 }
            if last > start {
                let name = UnsafeRawBufferPointer(start: bytes + start, count: last - start)
                path[length] = lookup.find(name) ?? added(name)
                length += 1
            }
            start = stop + 1
        }
        return length
    }

    @inline(never)
    private mutating func added(_ name: UnsafeRawBufferPointer) -> Int32 {
        let number = Int32(names.count)
        names.append(Array(name))
        lookup.insert(Array(name), number)
        return number
    }
}
