import Base
import Events
import Features
import StateStore

/// Compares a partition's local copy with the changelog, record by record.
package struct StateVerification {
    /// A user whose record is not the same on both sides.
    package struct Difference: Equatable {
        package enum Kind: String { case differs, missing, surplus }
        package var user: String
        package var kind: Kind
    }

    package private(set) var partition: Int32 = 0
    package private(set) var checkpoint: Checkpoint
    package private(set) var storePath: String
    /// Users in the store, and those whom the changelog has.
    package private(set) var stored = 0
    package private(set) var logged = 0
    package private(set) var equal = 0
    /// Users with a record behind the checkpoint: a start replays it, so the store may hold any older one.
    package private(set) var inTail = 0
    package private(set) var differing = 0
    /// Users whose last record in the changelog is damaged: the next start sets it aside.
    package private(set) var unreadable = 0
    /// The first differences.
    package private(set) var differences: [Difference] = []

    /// Hashes of a user's record: what the store has, what the changelog says, 0 for nothing.
    private struct Pair {
        var store: UInt64 = 0
        var log: UInt64 = 0
        var isInTail = false
        var isDamaged = false
    }

    /// Reads the store and the whole changelog of one partition.
    ///
    /// Holds 24 bytes per user, by a 64-bit hash of the id: that two users of a partition share one is as likely as 1 in
    /// 10 million for 2 million users.
    package init(_ copy: LocalCopies.Copy, _ reader: ChangelogReader, limit: Int = 10) throws {
        partition = copy.partition
        checkpoint = copy.checkpoint
        storePath = copy.store.path
        var pairs: [UInt64: Pair] = [:]
        try Self.forEach(copy) { user, record in
            pairs[StableHash.hash(user), default: Pair()].store = Self.hash(record)
        }
        let end = copy.checkpoint.offset
        try reader.read(from: [copy.partition: nil]) { _, offset, user, record in
            let key = StableHash.hash(user)
            pairs[key, default: Pair()].log = record.map(Self.hash) ?? 0
            if offset >= end { pairs[key]?.isInTail = true }
            pairs[key]?.isDamaged = record.map { !UserRecordCodec.isIntact($0, user: user) } ?? false
        }
        var wrong: [UInt64: Difference.Kind] = [:]
        for (key, pair) in pairs {
            if pair.store != 0 { stored += 1 }
            if pair.log != 0 { logged += 1 }
            if pair.isDamaged { unreadable += 1 }
            if pair.isInTail {
                inTail += 1
            } else if pair.store == pair.log {
                if pair.store != 0 { equal += 1 }
            } else {
                wrong[key] = pair.store == 0 ? .missing : pair.log == 0 ? .surplus : .differs
            }
        }
        differing = wrong.count
        if !wrong.isEmpty { try name(wrong, copy, reader, limit) }
    }

    /// Finds the ids of the users that differ, the first ones.
    private mutating func name(
        _ wrong: [UInt64: Difference.Kind], _ copy: LocalCopies.Copy, _ reader: ChangelogReader, _ limit: Int
    ) throws {
        var left = wrong
        var found: [Difference] = []
        func note(_ user: UnsafeRawBufferPointer) {
            guard found.count < limit, let kind = left.removeValue(forKey: StableHash.hash(user)) else { return }
            found.append(Difference(user: String(decoding: user, as: UTF8.self), kind: kind))
        }
        try Self.forEach(copy) { user, _ in note(user) }
        if found.count < limit, !left.isEmpty {
            try reader.read(from: [copy.partition: nil]) { _, _, user, _ in note(user) }
        }
        differences = found
    }

    private static func forEach(
        _ copy: LocalCopies.Copy, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        let cursor = try copy.store.records(of: copy.partition)
        while try cursor.read(4_096, body) {}
    }

    /// Never 0, which stands for nothing.
    private static func hash(_ record: UnsafeRawBufferPointer) -> UInt64 { max(1, StableHash.hash(record)) }
}
