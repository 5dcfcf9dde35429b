import Base

/// Which purchases have an id that is another user's: a purchase counts once, whichever user has it, and the first one is it.
///
/// Ids that only one user has, which are nearly all, need no look at anybody's log.
struct PurchaseClaims {
    private static let piece = 500
    private let intake: EventIntake
    private let logs: EventLogs
    /// Numbers of the ids of purchases, and their first users of this intake.
    private var ids = TextNumbers()
    private var users: [Int32] = []
    /// Who has ids of more than one user.
    private var owners: [Int: [UInt8]?] = [:]

    init(_ intake: EventIntake, _ logs: EventLogs) {
        self.intake = intake
        self.logs = logs
    }

    /// The places of entries that are not to be appended.
    mutating func refused() throws(ImpactError) -> Set<Int32> {
        for place in intake.purchases {
            let entry = intake.entries[Int(place)]
            let number = ids.number(of: UserLog.id(of: intake.bytes(entry)))
            if number == users.count { users.append(entry.user) }
            if users[number] != entry.user { owners[number] = .some(nil) }
        }
        for start in stride(from: 0, to: ids.count, by: Self.piece) {
            let numbers = start..<min(ids.count, start + Self.piece)
            let places = numbers.map { "$\($0 - start + 1)" }.joined(separator: ",")
            let rows = try logs.database.query(
                "SELECT conv_id, user_id FROM conversions WHERE conv_id IN (\(places))",
                numbers.map { .text(ids.string($0)) })
            while try rows.next() {
                guard let id = rows.text(0), let owner = rows.text(1),
                    let number = Array(id.utf8).withUnsafeBytes({ ids.known($0) })
                else { continue }
                let isSame = Array(intake.users.text(Int(users[number]))) == Array(owner.utf8)
                if !isSame || owners[number] != nil { owners[number] = .some(Array(owner.utf8)) }
            }
        }
        return owners.isEmpty ? [] : try inOrder()
    }

    /// Goes over the events of those who have the ids, in the order in which they came.
    private mutating func inOrder() throws(ImpactError) -> Set<Int32> {
        var known: [Int32: Set<[UInt8]>] = [:]
        for place in intake.purchases {
            let entry = intake.entries[Int(place)]
            if owners[ids.number(of: UserLog.id(of: intake.bytes(entry)))] != nil { known[entry.user] = [] }
        }
        for owner in owners.values {
            if let owner, let user = owner.withUnsafeBytes({ intake.users.known($0) }) {
                known[Int32(user)] = []
            }
        }
        let log = UserLog()
        let stored = try logs.stored(Array(known.keys), intake)
        for user in known.keys {
            guard let bytes = stored[user] else { continue }
            try logs.load(bytes, into: log)
            known[user] = Set(log.events.map { Array(log.bytes($0.id)) })
        }
        var refused: Set<Int32> = []
        for (place, entry) in intake.entries.enumerated()
        where known[entry.user] != nil && entry.kind != UserLog.Kind.score {
            let user = Array(intake.users.text(Int(entry.user)))
            if entry.kind == UserLog.Kind.erasure {
                known[entry.user] = []
                for (number, owner) in owners where owner == user { owners[number] = .some(nil) }
                continue
            }
            let bytes = UserLog.id(of: intake.bytes(entry))
            let id = Array(bytes)
            guard known[entry.user]?.contains(id) == false else { continue }
            if entry.kind == UserLog.Kind.purchase {
                let number = ids.number(of: bytes)
                if let owner = owners[number] {
                    guard owner == nil || owner == user else {
                        refused.insert(Int32(place))
                        continue
                    }
                    owners[number] = .some(user)
                }
            }
            known[entry.user]?.insert(id)
        }
        return refused
    }
}
