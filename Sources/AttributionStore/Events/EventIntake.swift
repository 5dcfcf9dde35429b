import Attribution
import Base
import Events
import JSON

/// Events and scores on their way to the logs of their users, in memory: read, and ordered by user.
///
/// `user.delete`, and a `user.consent` that refuses storing, take what was read of their user; after a refusal nothing of the
/// user is read until it is taken back.
final class EventIntake {
    struct Entry: BitwiseCopyable {
        /// The same user's next one; −1 for none.
        var next: Int32 = -1
        var user: Int32
        var kind: UInt8
        var start: Int
        var end: Int
    }

    struct Cost {
        var id: String
        var channel: String?
        var campaign: String?
        var day: String
        var amount: Double
        var currency: String?
    }

    var counts = RawEvents.Counts()
    private(set) var entries: [Entry] = []
    let users = TextNumbers()
    /// The first and last entry of each user.
    private(set) var chains: [(first: Int32, last: Int32)] = []
    private(set) var costs: [Cost] = []
    /// The places of purchases and of erasures among `entries`.
    private(set) var purchases: [Int32] = []
    private(set) var erasures: [Int32] = []
    /// Users who refuse that anything is stored, and since when.
    private(set) var refusals: [String: Int64] = [:]
    private(set) var changedRefusals: Set<String> = []
    var clock: LocalClock
    private let arena = ByteBuffer(capacity: 1 << 20)
    private let reader = TouchReader()
    private let scoreReader = ScoreReader()

    init(clock: LocalClock) { self.clock = clock }

    var count: Int { entries.count + costs.count }
    /// Bytes in memory, roughly.
    var bytes: Int { arena.count + entries.count * MemoryLayout<Entry>.stride }
    func bytes(_ entry: Entry) -> UnsafeRawBufferPointer { arena.bytes(entry.start..<entry.end) }

    /// Forgets what was read.
    func removeAll() {
        entries.removeAll(keepingCapacity: true)
        users.removeAll()
        chains.removeAll(keepingCapacity: true)
        costs.removeAll(keepingCapacity: true)
        purchases.removeAll(keepingCapacity: true)
        erasures.removeAll(keepingCapacity: true)
        changedRefusals = []
        arena.removeAll()
    }

    /// The number of a user who has an entry.
    func number(of user: String) -> Int? { Array(user.utf8).withUnsafeBytes { users.known($0) } }

    func setRefusals(_ refusals: [String: Int64]) { self.refusals = refusals }

    /// Reads one event.
    ///
    /// - Parameter place: where it came from, as `topic/partition/offset`: the id of an event that has none.
    func add(_ bytes: UnsafeRawBufferPointer, place: () -> String) {
        counts.events += 1
        var event = TouchEvent()
        switch reader.read(bytes, into: &event) {
        case .otherType: counts.skipped += 1
        case .general: addRare(bytes, place())
        case .taken:
            func text(_ text: TouchEvent.Text) -> UnsafeRawBufferPointer? {
                guard text.isPresent else { return nil }
                return UnsafeRawBufferPointer(rebasing: bytes[Int(text.start)..<Int(text.start + text.count)])
            }
            let user = text(event.user) ?? UnsafeRawBufferPointer(start: nil, count: 0)
            guard takes(user) else { return }
            if Self.isAssignment(event.type, event.channel.isPresent || event.campaign.isPresent) {
                return counts.skipped += 1
            }
            let start = arena.count
            func append(_ id: UnsafeRawBufferPointer) {
                arena.appendEntry(
                    kind: UInt8(event.type), time: event.time, value: event.value, id: id, channel: text(event.channel),
                    campaign: text(event.campaign), currency: text(event.currency), order: text(event.order))
            }
            if let id = text(event.id) { append(id) } else { Array(place().utf8).withUnsafeBytes(append) }
            link(user, UInt8(event.type), start)
        }
    }

    /// An assignment that names neither channel nor campaign is nothing that a user saw; it may be to no ad at all.
    private static func isAssignment(_ type: Int, _ hasChannel: Bool) -> Bool {
        type == Int(UserLog.Kind.treatment) && !hasChannel
    }

    private func takes(_ user: UnsafeRawBufferPointer) -> Bool {
        guard !refusals.isEmpty, refusals[String(decoding: user, as: UTF8.self)] != nil else { return true }
        counts.refused += 1
        return false
    }

    /// Makes an entry of what was appended to the arena.
    private func link(_ user: UnsafeRawBufferPointer, _ kind: UInt8, _ start: Int) {
        let number = users.number(of: user)
        let place = Int32(entries.count)
        entries.append(Entry(user: Int32(number), kind: kind, start: start, end: arena.count))
        if number == chains.count {
            chains.append((place, place))
        } else {
            entries[Int(chains[number].last)].next = place
            chains[number].last = place
        }
        if kind == UserLog.Kind.purchase { purchases.append(place) }
        if kind == UserLog.Kind.erasure { erasures.append(place) }
    }

    // MARK: What the reader leaves

    private func addRare(_ bytes: UnsafeRawBufferPointer, _ place: String) {
        guard let event = try? JSONValue(parsing: Array(bytes), name: place), event.members != nil,
            let type = event["type"]?.string
        else { return counts.invalid += 1 }
        if type == "ad_cost" { return addCost(event, place) }
        let isOfUser = type == Event.eraseType || type == Purposes.eventType
        let kind = TouchReader.types.firstIndex(of: type)
        guard kind != nil || isOfUser else { return counts.skipped += 1 }
        guard let user = Self.text(event["user_id"]), !user.isEmpty, let time = time(event["time"]),
            !user.utf8.contains(0)
        else { return counts.invalid += 1 }
        guard let kind else { return take(event, type, user, time) }
        func optional(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> Void) {
            guard let text else { return body(nil) }
            Array(Self.clean(text).utf8).withUnsafeBytes { body($0) }
        }
        Array(user.utf8).withUnsafeBytes { user in
            guard takes(user) else { return }
            let hasChannel = event["channel"]?.string != nil || Self.text(event["campaign_id"]) != nil
            if Self.isAssignment(kind, hasChannel) { return counts.skipped += 1 }
            let start = arena.count
            let value = event["value"]?.number ?? event["properties"]?["value"]?.number
            let order = Self.text(event["order_id"]) ?? Self.text(event["properties"]?["order_id"])
            optional(Self.text(event["id"]) ?? place) { id in
                optional(event["channel"]?.string) { channel in
                    optional(Self.text(event["campaign_id"])) { campaign in
                        optional(event["currency"]?.string) { currency in
                            optional(order) { order in
                                arena.appendEntry(
                                    kind: UInt8(kind), time: time, value: value ?? .nan,
                                    id: id ?? UnsafeRawBufferPointer(start: nil, count: 0), channel: channel,
                                    campaign: campaign, currency: currency, order: order)
                            }
                        }
                    }
                }
            }
            link(user, UInt8(kind), start)
        }
    }

    /// An event that is about the user's data.
    private func take(_ event: JSONValue, _ type: String, _ user: String, _ time: Int64) {
        counts.skipped += 1
        if type == Event.eraseType { return erase(user) }
        guard let storing = event["properties"]?["storing"]?.bool else { return }
        if storing {
            // A consent that is older than the refusal is a late one.
            guard let since = refusals[user], time >= since else { return }
            refusals[user] = nil
        } else {
            erase(user)
            refusals[user] = max(time, refusals[user] ?? time)
        }
        changedRefusals.insert(user)
    }

    private func erase(_ user: String) {
        Array(user.utf8).withUnsafeBytes { link($0, UserLog.Kind.erasure, arena.count) }
        counts.erased += 1
    }

    private func addCost(_ event: JSONValue, _ place: String) {
        let properties = event["properties"]
        let amount = event["amount"]?.number ?? event["value"]?.number ?? properties?["amount"]?.number
        // A date that is given must be one: the day of the event would be another.
        let given = [event["date"], properties?["date"]].compactMap { $0 }.first { $0 != .null }
        let day =
            given != nil
            ? given?.string.flatMap { CivilDay.parse($0) } : time(event["time"]).map { clock.reading($0).day }
        guard let amount, let day else { return counts.costsWithoutDay += 1 }
        costs.append(
            Cost(
                id: Self.clean(Self.text(event["id"]) ?? place), channel: event["channel"]?.string.map(Self.clean),
                campaign: Self.text(event["campaign"] ?? event["campaign_id"]).map(Self.clean),
                day: CivilDay.text(day), amount: amount, currency: event["currency"]?.string.map(Self.clean)))
    }

    private func time(_ value: JSONValue?) -> Int64? {
        if let number = value?.number {
            return Int64(exactly: number).flatMap { TouchReader.times.contains($0) ? $0 : nil }
        }
        guard let text = value?.string, text.utf8.count >= 20 else { return nil }
        return text.utf8.withContiguousStorageIfAvailable { RFC3339.parse(UnsafeRawBufferPointer($0)) } ?? nil
    }

    private static func text(_ value: JSONValue?) -> String? {
        value?.string ?? value?.number.flatMap { Int(exactly: $0).map(String.init) }
    }

    /// No database of ours holds a character 0 in a text.
    private static func clean(_ text: String) -> String {
        text.utf8.contains(0) ? text.replacing("\u{0}", with: "\u{FFFD}") : text
    }

    // MARK: Scores

    /// Reads one score, as the pipeline publishes it. The same one again changes nothing.
    func addScore(_ bytes: UnsafeRawBufferPointer) {
        counts.scores += 1
        guard let score = try? scoreReader.read(bytes) else { return counts.scoresWithoutEffect += 1 }
        // The record of a model of the outcome itself has this member: its number is a chance, not an effect.
        guard score.uplift.isFinite, !Self.saysProbability(bytes) else { return counts.scoresWithoutEffect += 1 }
        let user = scoreReader.bytes(score.user)
        guard !user.contains(0), refusals.isEmpty || refusals[String(decoding: user, as: UTF8.self)] == nil else {
            return counts.scoresWithoutEffect += 1
        }
        let start = arena.count
        arena.appendScore(
            time: score.time, uplift: score.uplift, error: score.standardError, partition: score.sourcePartition,
            offset: score.sourceOffset)
        link(user, UserLog.Kind.score, start)
    }

    private static func saysProbability(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while let quote = rest.firstIndex(of: UInt8(ascii: "\"")) {
            rest = rest[(quote + 1)...]
            if rest.starts(with: "probability\":".utf8) { return true }
        }
        return false
    }
}
