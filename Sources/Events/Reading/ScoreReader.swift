import Base
import JSON

/// One score as its JSON holds it: numbers, and places of its texts in the reader's arena.
public struct Score: Sendable, BitwiseCopyable {
    /// A text in the arena of ``ScoreReader``; empty count and `isPresent` false when the member is missing or null.
    public struct Text: Sendable, BitwiseCopyable {
        public var start: UInt32 = 0
        public var count: UInt32 = 0
        public var isPresent = false
    }

    public var user = Text()
    public var time: Int64 = 0
    public var eventType = Text()
    public var treatment = Text()
    public var outcome = Text()
    /// NaN for `null`, as the other numbers.
    public var uplift = Double.nan
    public var standardError = Double.nan
    public var lower = Double.nan
    public var upper = Double.nan
    public var level = Double.nan
    public var decision = Text()
    public var model = Text()
    public var modelVersion = Text()
    public var modelSHA256 = Text()
    public var sourceTopic = Text()
    public var sourcePartition: Int32 = 0
    public var sourceOffset: Int64 = 0
    /// The JSON array of all effects as it stands in the message, when there is one.
    public var effects = Text()
}

/// Reads scores strictly: for the log store, comparisons and evaluation. No `String`, no allocation in steady state.
public final class ScoreReader {
    private enum Member: String, CaseIterable {
        case user_id, time, event_type, treatment, outcome, uplift, std_error, ci_lower, ci_upper, ci_level, decision
        case model, model_version, model_sha256, source, effects
    }

    /// The texts of the last score read.
    public let arena = ByteBuffer(capacity: 1_024)
    private static let members = Member.allCases
    private static let required: UInt32 = members.indices.reduce(0) { mask, i in
        [.std_error, .ci_lower, .ci_upper, .effects, .treatment, .outcome].contains(members[i])
            ? mask : mask | 1 << UInt32(i)
    }
    private let names = NameTable(members.map(\.rawValue))
    private let sourceNames = NameTable(["topic", "partition", "offset"])
    private let maxBytes: Int

    /// - Parameter maxBytes: larger messages are refused.
    public init(maxBytes: Int = 1 << 20) { self.maxBytes = maxBytes }

    /// The bytes of a text of the last score; empty when it is missing.
    public func bytes(_ text: Score.Text) -> UnsafeRawBufferPointer {
        arena.bytes(Int(text.start)..<Int(text.start) + Int(text.count))
    }

    /// The text as a String. For set-up and tests.
    public func string(_ text: Score.Text) -> String { String(decoding: bytes(text), as: UTF8.self) }

    /// Reads one message; the texts of the one before are gone.
    public func read(_ message: UnsafeRawBufferPointer?) throws(InputError) -> Score {
        guard let message else { throw InputError(.nullMessage) }
        guard !message.isEmpty else { throw InputError(.emptyMessage) }
        guard message.count <= maxBytes else { throw InputError(.messageTooLarge) }
        arena.removeAll()
        var score = Score()
        var scanner = JSONScanner(message, maxDepth: 8)
        var seen: UInt32 = 0
        var state = names.start
        scanner.skipWhitespace()
        guard scanner.current == 0x7B else { throw scanner.fault() }
        while case let index = try names.next(&scanner, &state), index != NameTable.closed {
            scanner.skipWhitespace()
            if index >= 0 {
                guard seen & (1 << UInt32(index)) == 0 else { throw scanner.fault(.duplicateField) }
                let isNull = scanner.current == 0x6E
                if isNull { try scanner.scan(.null) } else { try read(Self.members[index], &scanner, &score) }
                if !isNull { seen |= 1 << UInt32(index) }
            } else {
                try scanner.skipValue(depth: 1)
            }
        }
        try scanner.expectEnd()
        guard seen & Self.required == Self.required else { throw InputError(.missingField) }
        return score
    }

    private func read(_ member: Member, _ scanner: inout JSONScanner, _ score: inout Score) throws(InputError) {
        switch member {
        case .user_id: score.user = try text(&scanner)
        case .time: score.time = try integer(&scanner)
        case .event_type: score.eventType = try text(&scanner)
        case .treatment: score.treatment = try text(&scanner)
        case .outcome: score.outcome = try text(&scanner)
        case .uplift: score.uplift = try number(&scanner)
        case .std_error: score.standardError = try number(&scanner)
        case .ci_lower: score.lower = try number(&scanner)
        case .ci_upper: score.upper = try number(&scanner)
        case .ci_level: score.level = try number(&scanner)
        case .decision: score.decision = try text(&scanner)
        case .model: score.model = try text(&scanner)
        case .model_version: score.modelVersion = try text(&scanner)
        case .model_sha256: score.modelSHA256 = try text(&scanner)
        case .source: try readSource(&scanner, &score)
        case .effects: score.effects = try raw(&scanner)
        }
    }

    private func readSource(_ scanner: inout JSONScanner, _ score: inout Score) throws(InputError) {
        guard scanner.current == 0x7B else { throw try scanner.typeFault() }
        var seen = 0
        var state = sourceNames.start
        while case let index = try sourceNames.next(&scanner, &state), index != NameTable.closed {
            scanner.skipWhitespace()
            guard index < 0 || seen & (1 << index) == 0 else { throw scanner.fault(.duplicateField) }
            switch index {
            case 0: score.sourceTopic = try text(&scanner)
            case 1:
                guard let partition = Int32(exactly: try integer(&scanner)) else {
                    throw scanner.fault(.numberOutOfRange)
                }
                score.sourcePartition = partition
            case 2: score.sourceOffset = try integer(&scanner)
            default: try scanner.skipValue(depth: 2)
            }
            if index >= 0 { seen |= 1 << index }
        }
        guard seen == 0b111 else { throw scanner.fault(.missingField) }
    }

    private func text(_ scanner: inout JSONScanner) throws(InputError) -> Score.Text {
        guard scanner.current == 0x22 else { throw try scanner.typeFault() }
        let scanned = try scanner.scanString()
        let start = arena.count
        scanner.decode(scanned, into: arena)
        return Score.Text(start: UInt32(start), count: UInt32(arena.count - start), isPresent: true)
    }

    /// A value's own bytes.
    private func raw(_ scanner: inout JSONScanner) throws(InputError) -> Score.Text {
        let first = scanner.position
        try scanner.skipValue(depth: 1)
        let start = arena.count
        arena.append(UnsafeRawBufferPointer(start: scanner.base + first, count: scanner.position - first))
        return Score.Text(start: UInt32(start), count: UInt32(arena.count - start), isPresent: true)
    }

    private func integer(_ scanner: inout JSONScanner) throws(InputError) -> Int64 {
        guard scanner.isAtNumber else { throw try scanner.typeFault() }
        let number = try scanner.scanNumber()
        guard let integer = scanner.integer(number) else { throw scanner.fault(.fieldType) }
        return integer
    }

    private func number(_ scanner: inout JSONScanner) throws(InputError) -> Double {
        guard scanner.isAtNumber else { throw try scanner.typeFault() }
        let number = try scanner.scanNumber()
        return try scanner.double(number)
    }
}
