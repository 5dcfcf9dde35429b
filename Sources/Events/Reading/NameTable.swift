/// The names an object's members are looked up in: a handful, compared by their bytes, likeliest first.
///
/// The table remembers which name followed which in the last object, so an event with the same order of members as the
/// one before finds each name at the first try. The general search stands behind it.
final class NameTable {
    private struct Entry: BitwiseCopyable {
        /// The first eight bytes, zero-padded.
        var word: UInt64
        var count: Int
        var start: Int
        /// The entry that followed this one in the last object.
        var next: Int
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let names: UnsafeMutablePointer<UInt8>
    let count: Int
    private var first = 0

    init(_ texts: [String]) {
        count = texts.count
        entries = .allocate(capacity: max(1, count))
        let bytes = texts.flatMap { Array($0.utf8) }
        names = .allocate(capacity: max(1, bytes.count))
        names.initialize(from: bytes, count: bytes.count)
        var start = 0
        for (i, text) in texts.enumerated() {
            let utf8 = Array(text.utf8)
            var word: UInt64 = 0
            for (shift, byte) in utf8.prefix(8).enumerated() { word |= UInt64(byte) << (8 * shift) }
            entries[i] = Entry(word: word, count: utf8.count, start: start, next: (i + 1) % max(1, count))
            start += utf8.count
        }
    }

    deinit {
        entries.deallocate()
        names.deallocate()
    }

    /// The index of the name scanned in `text`, or −1; `previous` is the index found before it in this object, −1 at
    /// its start.
    @inline(__always)
    func find(_ text: JSONScanner.Text, in scanner: borrowing JSONScanner, after previous: Int) -> Int {
        guard count > 0 else { return -1 }
        let length = text.end - text.start
        let word = Self.firstWord(text.start, length, scanner)
        let predicted = previous < 0 ? first : entries[previous].next
        if matches(predicted, word, length, text.start, scanner) { return predicted }
        return search(word, length, text.start, scanner, after: previous)
    }

    private func search(
        _ word: UInt64, _ length: Int, _ start: Int, _ scanner: borrowing JSONScanner, after previous: Int
    ) -> Int {
        for i in 0..<count where matches(i, word, length, start, scanner) {
            if previous < 0 { first = i } else { entries[previous].next = i }
            return i
        }
        return -1
    }

    @inline(__always)
    private static func firstWord(_ start: Int, _ length: Int, _ scanner: borrowing JSONScanner) -> UInt64 {
        if start &+ 8 <= scanner.count {
            let word = scanner.word(start)
            return length >= 8 ? word : word & ((1 << UInt64(8 &* length)) &- 1)
        }
        var word: UInt64 = 0
        for i in 0..<min(8, length) { word |= UInt64(scanner.byte(start + i)) << UInt64(8 * i) }
        return word
    }

    @inline(__always)
    private func matches(
        _ i: Int, _ word: UInt64, _ length: Int, _ start: Int, _ scanner: borrowing JSONScanner
    ) -> Bool {
        guard entries[i].word == word, entries[i].count == length else { return false }
        var k = 8
        while k < length {
            if scanner.byte(start + k) != names[entries[i].start + k] { return false }
            k += 1
        }
        return true
    }
}
