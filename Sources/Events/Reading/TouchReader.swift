import Base
import JSON

/// What attribution reads of an event: texts as they stand in the message.
public struct TouchEvent: BitwiseCopyable {
    /// Bytes of the message.
    public struct Text: BitwiseCopyable {
        public var start: Int32 = 0
        /// −1 for a text that is not there.
        public var count: Int32 = -1

        public init() {}
        @inlinable public var isPresent: Bool { count >= 0 }
    }

    /// The type's place among ``TouchReader/types``.
    public var type = 0
    /// Milliseconds since 1970, UTC.
    public var time: Int64 = 0
    /// NaN for none.
    public var value = Double.nan
    public var id = Text()
    public var user = Text()
    public var channel = Text()
    public var campaign = Text()
    public var currency = Text()
    public var order = Text()

    public init() {}
}

/// Reads the events that attribution reads from the bytes of a message, as ``EventReader`` does: strict, in one pass, without a
/// `String` or an allocation.
///
/// It takes what it knows to be valid; anything else (an escape, a member of another kind, a second one of a name, what is not
/// JSON) is left to the caller's general path, which also says what is wrong.
public final class TouchReader {
    public enum Outcome: Sendable {
        case taken
        /// A valid event of a type that is not read.
        case otherType
        /// For the general path.
        case general
    }

    /// The types that are read, in this order.
    public static let types = [
        "ad_view", "click", "page_view", "add_to_cart", "treatment", "purchase", "refund",
    ]
    /// Types whose events need the general path.
    private static let rare = ["ad_cost", Event.eraseType, Purposes.eventType]
    /// The years 1 to 9999: what a date can be written for.
    public static let times: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

    private enum Member: Int, CaseIterable {
        case id, user, type, time, campaign, channel, value, currency, order, properties
    }

    private let names = NameTable([
        "id", "user_id", "type", "time", "campaign_id", "channel", "value", "currency", "order_id", "properties",
    ])
    private let inProperties = NameTable(["value", "order_id"])
    private let typeNames = NameTable(TouchReader.types + TouchReader.rare)
    private var recentDate = RecentDate()

    public init() {}

    /// - Parameter event: all of it is written when the outcome is ``Outcome/taken``.
    public func read(_ bytes: UnsafeRawBufferPointer, into event: inout TouchEvent) -> Outcome {
        guard bytes.count < 1 << 24 else { return .general }
        event = TouchEvent()
        event.type = -1
        do throws(InputError) { return try parse(bytes, &event) } catch { return .general }
    }

    private func parse(_ bytes: UnsafeRawBufferPointer, _ event: inout TouchEvent) throws(InputError) -> Outcome {
        var scanner = JSONScanner(bytes, maxDepth: 32)
        scanner.skipWhitespace()
        guard scanner.current == 0x7B else { return .general }
        var seen: UInt32 = 0
        var hasTime = false
        var isOther = false
        var (inner, innerOrder) = (Double.nan, TouchEvent.Text())
        var state = names.start
        while true {
            let index = try names.next(&scanner, &state)
            guard index >= 0, let member = Member(rawValue: index) else {
                if index == NameTable.closed { break }
                try skip(&scanner, depth: 1)
                continue
            }
            let bit = 1 &<< UInt32(truncatingIfNeeded: index)
            guard seen & bit == 0 else { return .general }
            seen |= bit
            scanner.skipWhitespace()
            if scanner.take(.null) { continue }
            switch member {
            case .id: event.id = try text(&scanner, takesInteger: true)
            case .user: event.user = try text(&scanner, takesInteger: true)
            case .campaign: event.campaign = try text(&scanner, takesInteger: true)
            case .order: event.order = try text(&scanner, takesInteger: true)
            case .channel: event.channel = try text(&scanner, takesInteger: false)
            case .currency: event.currency = try text(&scanner, takesInteger: false)
            case .type:
                guard let name = scanner.plainText() else { return .general }
                scanner.take(name)
                event.type = name.count < 16 ? typeNames.find(name) : NameTable.unknown
                isOther = event.type < 0
            case .time:
                event.time = try time(&scanner)
                hasTime = true
            case .value:
                guard let number = scanner.takeNumber() else { return .general }
                event.value = number
            case .properties:
                guard scanner.current == 0x7B else { return .general }
                try readProperties(&scanner, &inner, &innerOrder)
            }
        }
        try scanner.expectEnd()
        if isOther { return .otherType }
        guard event.type >= 0, event.type < Self.types.count, hasTime, event.user.count > 0 else { return .general }
        if event.value.isNaN { event.value = inner }
        if !event.order.isPresent { event.order = innerOrder }
        return .taken
    }

    private func readProperties(
        _ scanner: inout JSONScanner, _ value: inout Double, _ order: inout TouchEvent.Text
    ) throws(InputError) {
        var seen = 0
        var state = inProperties.start
        while true {
            let index = try inProperties.next(&scanner, &state)
            guard index >= 0 else {
                if index == NameTable.closed { return }
                try skip(&scanner, depth: 2)
                continue
            }
            guard seen & (1 << index) == 0 else { throw scanner.fault() }
            seen |= 1 << index
            scanner.skipWhitespace()
            if scanner.take(.null) { continue }
            if index == 0 {
                guard let number = scanner.takeNumber() else { throw scanner.fault() }
                value = number
            } else {
                order = try text(&scanner, takesInteger: true)
            }
        }
    }

    @inline(__always)
    private func skip(_ scanner: inout JSONScanner, depth: Int) throws(InputError) {
        if let text = scanner.plainText() { return scanner.take(text) }
        var general = scanner
        general.skipWhitespace()
        try general.skipValue(depth: depth)
        scanner.position = general.position
    }

    /// A text as it stands, or the digits of an integer that a double holds.
    @inline(__always)
    private func text(_ scanner: inout JSONScanner, takesInteger: Bool) throws(InputError) -> TouchEvent.Text {
        var text = TouchEvent.Text()
        if let plain = scanner.plainText() {
            text.start = Int32(truncatingIfNeeded: scanner.position &+ 1)
            text.count = Int32(truncatingIfNeeded: plain.count)
            scanner.take(plain)
            return text
        }
        return try rareText(&scanner, takesInteger: takesInteger)
    }

    @inline(never)
    private func rareText(_ scanner: inout JSONScanner, takesInteger: Bool) throws(InputError) -> TouchEvent.Text {
        var text = TouchEvent.Text()
        if scanner.current == 0x22 {
            let scanned = try scanner.scanString()
            guard !scanned.hasEscape else { throw scanner.fault() }
            text.start = Int32(scanned.start)
            text.count = Int32(scanned.end - scanned.start)
            return text
        }
        let start = scanner.position
        guard takesInteger, (0x30...0x39).contains(scanner.current) else { throw scanner.fault() }
        let number = try scanner.scanNumber()
        guard number.isInteger, number.end - number.start <= 15 else { throw scanner.fault() }
        text.start = Int32(start)
        text.count = Int32(number.end - number.start)
        return text
    }

    @inline(__always)
    private func time(_ scanner: inout JSONScanner) throws(InputError) -> Int64 {
        if scanner.position &+ 26 <= scanner.count, scanner.base[scanner.position] == 0x22 {
            var length = 0
            let text = UnsafeRawPointer(scanner.base + (scanner.position &+ 1))
            if let time = recentDate.time(text, length: &length) {
                scanner.position &+= length &+ 2
                return time
            }
        }
        return try rareTime(&scanner)
    }

    @inline(never)
    private func rareTime(_ scanner: inout JSONScanner) throws(InputError) -> Int64 {
        if scanner.current == 0x22 {
            guard let text = scanner.plainText(), text.count >= 20, let time = RFC3339.parse(text.bytes),
                Self.times.contains(time)
            else { throw scanner.fault() }
            scanner.take(text)
            if time >= 0 { recentDate.learn(text.bytes, time) }
            return time
        }
        guard let number = scanner.takeNumber(), let time = Int64(exactly: number), Self.times.contains(time) else {
            throw scanner.fault()
        }
        return time
    }
}
