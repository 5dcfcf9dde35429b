import Base
import JSON

/// The names that an object's members are looked up in, with a memory of the last object's layout.
///
/// Producers write their members in one order, so the table predicts: for each member it remembers the bytes that stood
/// between the value before and its own value the last time (comma, name, colon, and whatever whitespace), and when the
/// same bytes stand there again the member is known by one or two comparisons of words. The bytes were scanned strictly
/// when they were learned, so equal bytes need no second look. Types of events differ in a member or two, so a place
/// remembers four continuations. Behind them stands the general path: scan, decode, look up.
///
/// One thread at a time.
final class NameTable {
    /// A place in an object, which is the member that was read last: the predictions of what follows there.
    typealias State = UnsafeMutablePointer<NamePrediction>
    /// Stands for a name that is not in the table.
    static let unknown = -1
    /// What ``next(_:_:)`` gives when the object has no further member.
    static let closed = -2

    private struct Entry: BitwiseCopyable {
        var prefix: NamePrefix
        var index: Int
        /// The whole name, in `names`.
        var start: Int
    }

    /// How many continuations a place remembers.
    private static let continuations = 4
    /// How many places remember what follows an unknown name, chosen by the name's bytes.
    private static let unknownPlaces = 16

    /// Open addressing; `index` −1 is free.
    private let entries: UnsafeMutablePointer<Entry>
    private let mask: Int
    private let names: UnsafeMutablePointer<UInt8>
    /// ``continuations`` of each place, the one learned last first.
    private let predictions: UnsafeMutablePointer<NamePrediction>
    /// Before the first member, the scanner at the object's opening brace.
    let start: State
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
        let places = Self.continuations * (1 + count + Self.unknownPlaces)
        predictions = .allocate(capacity: places)
        predictions.initialize(repeating: NamePrediction(state: predictions), count: places)
        start = predictions
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

    /// Steps to the next member's value: over the end of the value before, the name and its colon. Whitespace may be left
    /// before the value, as producers seldom write it in one place and not in another.
    /// - Parameter state: which member came before; it becomes this one. At ``start`` the scanner must be at a brace that
    ///   opens an object, which this steps over.
    /// - Returns: the name's index in the table, ``unknown`` for another name, or ``closed`` behind the closing brace.
    @inline(__always)
    func next(_ scanner: inout JSONScanner, _ state: inout State) throws(InputError) -> Int {
        let left = scanner.count &- scanner.position
        if left >= 8 {
            let here = UnsafeRawPointer(scanner.base + scanner.position)
            let first = StableHash.word(here, 0)
            var prediction = state
            let end = prediction + Self.continuations
            repeat {
                if prediction.pointee.matches(first, here, left) {
                    scanner.position &+= Int(prediction.pointee.length)
                    state = prediction.pointee.state
                    return Int(prediction.pointee.index)
                }
                prediction += 1
            } while prediction < end
        } else if scanner.current == 0x7D {
            scanner.position &+= 1
            return Self.closed
        }
        // On a copy, so that the scanner itself can stay in registers.
        var general = scanner
        let step = try learn(&general, after: state)
        scanner.position = general.position
        state = step.state
        return step.index
    }

    /// The general path of ``next(_:_:)``.
    @inline(never)
    private func learn(_ scanner: inout JSONScanner, after state: State) throws(InputError) -> (
        index: Int, state: State
    ) {
        let from = scanner.position
        var index = Self.closed, next = start
        if try state == start ? scanner.enterObject() : scanner.nextMember() {
            let name = try scanner.scanName()
            let bytes = scanner.decoded(name, scratch)
            let prefix = NamePrefix(bytes)
            index = find(prefix, bytes)
            next += Self.continuations * (index >= 0 ? 1 + index : 1 + count + prefix.hash & (Self.unknownPlaces - 1))
        }
        let found = UnsafeRawBufferPointer(start: scanner.base + from, count: scanner.position - from)
        if isPredicting, let prediction = NamePrediction(found, index: index, state: next) {
            for i in stride(from: Self.continuations - 1, to: 0, by: -1) { state[i] = state[i - 1] }
            state.pointee = prediction
        }
        return (index, next)
    }

    /// The index of a name, or ``unknown``.
    func find(_ name: UnsafeRawBufferPointer) -> Int { find(NamePrefix(name), name) }

    /// The index of a name of fewer than sixteen bytes, or ``unknown``.
    @inline(__always)
    func find(_ name: JSONScanner.PlainText) -> Int {
        let (low, high) = name.words
        let prefix = NamePrefix(low: low, high: high, count: name.count)
        var slot = prefix.hash & mask
        while entries[slot].index >= 0 {
            if entries[slot].prefix == prefix { return entries[slot].index }
            slot = (slot &+ 1) & mask
        }
        return Self.unknown
    }

    @inline(__always)
    private func find(_ prefix: NamePrefix, _ name: UnsafeRawBufferPointer) -> Int {
        var slot = prefix.hash & mask
        // A third of the slots is free, so the search ends.
        while entries[slot].index >= 0 {
            if entries[slot].prefix == prefix, hasTail(entries[slot], name) { return entries[slot].index }
            slot = (slot + 1) & mask
        }
        return Self.unknown
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
