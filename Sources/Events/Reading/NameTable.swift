/// The names that an object's members are looked up in, with a memory of the last object's layout.
///
/// Producers write their members in one order, so the table predicts: for each member it remembers the bytes from the
/// name's opening quote to the value that came next the last time, and when the same bytes stand there again the name is
/// known by one comparison of 24 bytes, colon and whitespace included. The bytes were scanned strictly when they were
/// learned, so equal bytes need no second look. Types of events differ in a member or two, so a place remembers four
/// continuations. Behind them stands the general path: scan, decode, look up.
///
/// One thread at a time.
final class NameTable {
    /// A place in an object: which member was read last. It decides which prediction is tried.
    typealias State = Int
    /// Before the first member.
    static let start: State = 0

    private struct Entry: BitwiseCopyable {
        var prefix: NamePrefix
        var index: Int
        /// The whole name, in `names`.
        var start: Int
    }

    /// How many continuations a place remembers.
    private static let continuations = 4
    /// How many places remember what follows an unknown name, chosen by the name's bytes.
    private static let unknownStates = 16

    /// Open addressing; `index` −1 is free.
    private let entries: UnsafeMutablePointer<Entry>
    private let mask: Int
    private let names: UnsafeMutablePointer<UInt8>
    /// ``continuations`` of each place, the one learned last first.
    private let predictions: UnsafeMutablePointer<NamePrediction>
    private let scratch = ByteBuffer(capacity: 64)
    private let isPredicting: Bool
    let count: Int

    /// - Parameter predicts: false takes the general path always, for tests.
    init(_ texts: [String], predicts: Bool = true) {
        count = texts.count
        isPredicting = predicts
        var slots = 8
        while slots < 3 * count { slots *= 2 }
        mask = slots - 1
        entries = .allocate(capacity: slots)
        entries.initialize(repeating: Entry(prefix: NamePrefix(), index: -1, start: 0), count: slots)
        let bytes = texts.flatMap { Array($0.utf8) }
        names = .allocate(capacity: max(1, bytes.count))
        names.initialize(from: bytes, count: bytes.count)
        let places = Self.continuations * (1 + count + Self.unknownStates)
        predictions = .allocate(capacity: places)
        predictions.initialize(repeating: NamePrediction(), count: places)
        var start = 0
        for (index, text) in texts.enumerated() {
            insert(Array(text.utf8), index: index, start: start)
            start += text.utf8.count
        }
    }

    deinit {
        entries.deallocate()
        names.deallocate()
        predictions.deallocate()
    }

    private func insert(_ name: [UInt8], index: Int, start: Int) {
        let prefix = name.withUnsafeBytes { NamePrefix($0) }
        var slot = prefix.hash & mask
        while entries[slot].index >= 0 { slot = (slot + 1) & mask }
        entries[slot] = Entry(prefix: prefix, index: index, start: start)
    }

    /// Reads a member's name and its colon; the scanner then stands at the value.
    /// - Parameter state: which member came before; it becomes this one.
    /// - Returns: the name's index in the table, or −1 for another name.
    @inline(__always)
    func next(_ scanner: inout JSONScanner, _ state: inout State) throws(EventError) -> Int {
        let bytes = NamePrediction.Bytes(scanner)
        var prediction = predictions + Self.continuations &* state
        let end = prediction + Self.continuations
        while prediction < end {
            if prediction.pointee.matches(bytes) {
                scanner.position &+= Int(prediction.pointee.length)
                scanner.skipWhitespace()
                state = Int(prediction.pointee.state)
                return Int(prediction.pointee.index)
            }
            prediction += 1
        }
        return try learn(&scanner, &state)
    }

    /// The general path of ``next(_:_:)``.
    @inline(never)
    private func learn(_ scanner: inout JSONScanner, _ state: inout State) throws(EventError) -> Int {
        let found = NamePrediction.Bytes(scanner)
        let quote = scanner.position
        let name = try scanner.scanName()
        let prediction = predictions + Self.continuations * state
        let bytes = scanner.decoded(name, scratch)
        let prefix = NamePrefix(bytes)
        let index = find(prefix, bytes)
        state = index >= 0 ? 1 + index : 1 + count + prefix.hash & (Self.unknownStates - 1)
        if isPredicting {
            for i in stride(from: Self.continuations - 1, to: 0, by: -1) { prediction[i] = prediction[i - 1] }
            prediction.pointee = NamePrediction(
                found, length: scanner.position - quote, index: index, state: state)
        }
        return index
    }

    /// The index of a name, or −1.
    func find(_ name: UnsafeRawBufferPointer) -> Int { find(NamePrefix(name), name) }

    @inline(__always)
    private func find(_ prefix: NamePrefix, _ name: UnsafeRawBufferPointer) -> Int {
        var slot = prefix.hash & mask
        // A third of the slots is free, so the search ends.
        while entries[slot].index >= 0 {
            if entries[slot].prefix == prefix, hasTail(entries[slot], name) { return entries[slot].index }
            slot = (slot + 1) & mask
        }
        return -1
    }

    /// Whether the bytes past the prefix are equal too.
    @inline(__always)
    private func hasTail(_ entry: Entry, _ name: UnsafeRawBufferPointer) -> Bool {
        var i = NamePrefix.width
        while i < name.count {
            if name[i] != names[entry.start + i] { return false }
            i += 1
        }
        return true
    }
}

/// The first sixteen bytes of a name and its length: what decides almost every comparison.
struct NamePrefix: BitwiseCopyable, Equatable {
    static let width = 16

    var low: UInt64 = 0
    var high: UInt64 = 0
    var count = 0

    init() {}

    @inline(__always)
    init(_ name: UnsafeRawBufferPointer) {
        count = name.count
        guard let base = name.baseAddress, count > 0 else { return }
        low = Self.word(base, min(count, 8))
        if count > 8 { high = Self.word(base + 8, min(count - 8, 8)) }
    }

    @inline(__always)
    private static func word(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
        count == 8 ? StableHash.word(base, 0) : StableHash.shortTail(base, count)
    }

    @inline(__always)
    var hash: Int {
        let mixed = (low ^ UInt64(truncatingIfNeeded: count)) &* 0x9E37_79B9_7F4A_7C15 ^ high &* 0xC2B2_AE3D_27D4_EB4F
        return Int(truncatingIfNeeded: ((mixed ^ (mixed &>> 29)) &* 0xBF58_476D_1CE4_E5B9) &>> 33)
    }
}

/// The bytes from a name's opening quote to its value, as they stood the last time, and what they mean.
struct NamePrediction: BitwiseCopyable {
    /// How many bytes are loaded to compare; longer names are not predicted.
    static let width = 24

    /// The next bytes of a text, zeros past its end.
    struct Bytes: BitwiseCopyable {
        var words: (UInt64, UInt64, UInt64)

        @inline(__always)
        init(_ scanner: JSONScanner) {
            let base = UnsafeRawPointer(scanner.base + scanner.position)
            let left = scanner.count &- scanner.position
            if left >= NamePrediction.width {
                words = (StableHash.word(base, 0), StableHash.word(base, 8), StableHash.word(base, 16))
            } else {
                words = (Self.rest(base, left, 0), Self.rest(base, left, 8), Self.rest(base, left, 16))
            }
        }

        @inline(__always)
        private static func rest(_ base: UnsafeRawPointer, _ left: Int, _ offset: Int) -> UInt64 {
            let count = left &- offset
            if count >= 8 { return StableHash.word(base, offset) }
            return count <= 0 ? 0 : StableHash.shortTail(base + offset, count)
        }
    }

    // Masked words are never 1 under a mask of 0, so a prediction that was not made matches nothing.
    private var words: (UInt64, UInt64, UInt64) = (1, 0, 0)
    private var masks: (UInt64, UInt64, UInt64) = (0, 0, 0)
    private(set) var length: Int32 = 0
    private(set) var index: Int32 = -1
    private(set) var state: Int32 = 0

    /// Matches nothing.
    init() {}

    /// - Parameter length: how many of the bytes are the name's.
    init(_ found: Bytes, length: Int, index: Int, state: Int) {
        guard length <= Self.width else { return }
        masks = (Self.mask(length), Self.mask(length - 8), Self.mask(length - 16))
        let found = found.words
        words = (found.0 & masks.0, found.1 & masks.1, found.2 & masks.2)
        (self.length, self.index, self.state) = (Int32(length), Int32(index), Int32(state))
    }

    /// Whether the same bytes come next.
    @inline(__always)
    func matches(_ bytes: Bytes) -> Bool {
        let found = bytes.words
        return (found.0 & masks.0 ^ words.0) | (found.1 & masks.1 ^ words.1) | (found.2 & masks.2 ^ words.2) == 0
    }

    private static func mask(_ bytes: Int) -> UInt64 {
        bytes >= 8 ? .max : bytes <= 0 ? 0 : (1 << UInt64(8 * bytes)) - 1
    }
}
