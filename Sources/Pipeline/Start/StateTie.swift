import Foundation
import Kafka

/// What ties committed offsets and state together, so that a start sees when somebody has changed one without the other.
///
/// Both sides carry the other's position, written by the same transaction:
/// - the last changelog record of a commit bears the input's offsets in a header, which restore and older versions pass
///   over;
/// - the committed offset bears a ``Mark`` in its metadata, which every other tool that sets an offset leaves out.
package enum StateTie {
    /// The header's name.
    package static let header = "impactiq.positions"
    private static let prefix = "impactiq1"

    /// The metadata of a committed offset.
    package struct Mark: Equatable, Sendable {
        /// The record that was read last; nil when it is not known.
        package var last: LastRecord?
        /// Users in the partition's state.
        package var users: Int
        /// An offset that the changelog had reached.
        package var changelog: Int64
        /// Set by hand, with a person's consent: state and offset need not agree.
        package var isAligned: Bool

        package init(last: LastRecord?, users: Int, changelog: Int64, isAligned: Bool = false) {
            self.last = last
            self.users = users
            self.changelog = changelog
            self.isAligned = isAligned
        }

        package var text: String {
            var text = prefix
            if let last {
                text += " t=\(last.timestamp)"
                if let offset = last.offset { text += " r=\(offset)" }
                if let checksum = last.checksum { text += " k=\(checksum)" }
            }
            return text + " u=\(users) c=\(changelog)" + (isAligned ? " a=1" : "")
        }

        /// Nil for metadata that is not ours: no metadata, or that of another program.
        package init?(_ text: String) {
            let parts = text.split(separator: " ")
            guard parts.first == StateTie.prefix[...] else { return nil }
            self.init(last: nil, users: 0, changelog: 0)
            var (offset, checksum): (Int64?, UInt32?)
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1)
                guard pair.count == 2, let number = Int64(pair[1]) else { continue }
                switch pair[0] {
                case "t": last = LastRecord(timestamp: number)
                case "r": offset = number
                case "k": checksum = UInt32(exactly: number)
                case "u": users = Int(number)
                case "c": changelog = number
                case "a": isAligned = number == 1
                default: break
                }
            }
            last?.offset = offset
            last?.checksum = checksum
        }
    }

    /// How far an input was read: the next offset, and the record that was read last when that is known.
    package struct Position: Equatable, Sendable {
        package var offset: Int64
        package var last: LastRecord?

        package init(_ offset: Int64, last: LastRecord? = nil) {
            self.offset = offset
            self.last = last
        }
    }

    /// The header's value: `events=120@1795255200123@118@3735928559,clicks=7`, positions by topic; behind a position the
    /// time, the offset and the checksum of the record that was read last.
    package static func text(_ positions: [TopicPartition: Position]) -> String {
        positions.sorted { $0.key < $1.key }.map { partition, position in
            var text = "\(partition.topic)=\(position.offset)"
            guard let last = position.last else { return text }
            text += "@\(last.timestamp)"
            if let offset = last.offset, let checksum = last.checksum { text += "@\(offset)@\(checksum)" }
            return text
        }.joined(separator: ",")
    }

    package static func positions(_ text: String) -> [String: Position] {
        text.split(separator: ",").reduce(into: [:]) { positions, part in
            guard let equals = part.lastIndex(of: "=") else { return }
            let numbers = part[part.index(after: equals)...].split(separator: "@").map { Int64($0) }
            guard let offset = numbers.first ?? nil, offset >= 0 else { return }
            var position = Position(offset)
            if numbers.count > 1, let timestamp = numbers[1] {
                position.last = LastRecord(timestamp: timestamp)
                if numbers.count == 4, let checksum = numbers[3] {
                    position.last?.offset = numbers[2]
                    position.last?.checksum = UInt32(exactly: checksum)
                }
            }
            positions[String(part[..<equals])] = position
        }
    }

    /// Whether a person aligned an offset of these partitions of one number.
    static func isAligned(_ committed: [TopicPartition: CommittedOffset], _ number: Int32) -> Bool {
        committed.contains { $0.key.partition == number && Mark($0.value.metadata)?.isAligned == true }
    }

    /// What a start finds of one input partition and its changelog partition.
    package struct Finding {
        package var input: TopicPartition
        package var committed: CommittedOffset?
        /// The input's first and next offset.
        package var marks: Watermarks
        /// What is there now of the record that was read last before the committed offset, or without one that lies in the
        /// topic before the state's; nil when nothing is there any more.
        package var found: LastRecord?
        /// The log's end of the changelog; committed records may end before it.
        package var changelogEnd: Int64
        /// Whether the changelog holds a record.
        package var hasState: Bool
        /// Whether the changelog may hold state without ``hasState``: records that do not name this input, or an open
        /// transaction, behind whose beginning nothing is seen.
        package var mayHaveMore: Bool
        /// Whether the state need not come from this input: one of several topics that had nothing to read yet has no
        /// offset.
        package var isUnread: Bool
        /// The input's position that the changelog's last record names; nil of an older version's.
        ///
        /// Records that cannot be believed do not count.
        package var position: Position?
        /// Records of the changelog partition that cannot be believed.
        package var disbelieved: DisbelievedRecords
        package var state: Int64? { position?.offset }

        package init(
            input: TopicPartition, committed: CommittedOffset?, marks: Watermarks, found: LastRecord? = nil,
            changelogEnd: Int64 = 0, hasState: Bool = false, mayHaveMore: Bool = false, isUnread: Bool = false,
            position: Position? = nil, disbelieved: DisbelievedRecords = DisbelievedRecords()
        ) {
            self.input = input
            self.committed = committed
            self.marks = marks
            self.found = found
            self.changelogEnd = changelogEnd
            self.hasState = hasState
            self.mayHaveMore = mayHaveMore
            self.isUnread = isUnread
            self.position = position
            self.disbelieved = disbelieved
        }
    }

    /// Why state and offset do not belong together.
    package enum Disagreement: Equatable, Sendable {
        /// There is state and no committed offset: everything would be counted again.
        case offsetGone(state: Int64?)
        /// The offset was set by another program.
        case offsetSet(state: Int64, committed: Int64)
        /// The same, to where the input holds nothing; the state stands within it.
        case offsetBeyondEnd(state: Int64, committed: Int64, end: Int64)
        /// What was read goes beyond the input's end.
        case beyondEnd(read: Int64, end: Int64)
        /// In the place of the record that was read last there is another one.
        case otherTopic(read: Int64)
        /// The offset says that there were users, and the changelog has none.
        case stateGone(committed: Int64, users: Int)

        package var isOfInput: Bool {
            switch self {
            case .beyondEnd, .otherTopic: true
            default: false
            }
        }

        /// Users whom the changelog has lost.
        package var lostUsers: Int {
            if case .stateGone(_, let users) = self { users } else { 0 }
        }

        /// Whether the group has an offset that it could go on from.
        var hasOffset: Bool {
            switch self {
            case .offsetGone, .offsetBeyondEnd: false
            default: true
            }
        }
    }

    /// - Parameter isExactlyOnce: otherwise a crash may leave records of a commit whose offsets are missing.
    package static func judge(_ finding: Finding, isExactlyOnce: Bool) -> Disagreement? {
        guard let committed = finding.committed else {
            guard finding.hasState, !finding.isUnread else { return nil }
            guard let position = finding.position else { return .offsetGone(state: nil) }
            // With the topic the broker drops the group's offsets for it.
            if position.offset > finding.marks.high {
                return .beyondEnd(read: position.offset, end: finding.marks.high)
            }
            if let last = position.last, let found = finding.found, last.differs(from: found) {
                return .otherTopic(read: position.offset)
            }
            return .offsetGone(state: position.offset)
        }
        let offset = committed.offset
        if offset > finding.marks.high {
            // Where the state itself stands within the topic, and the record there is the one that it read, the topic is the
            // one that it was, and somebody has set the offset.
            if Mark(committed.metadata) == nil, let position = finding.position, position.offset <= finding.marks.high,
                let last = position.last, let found = finding.found, !last.differs(from: found)
            {
                return .offsetBeyondEnd(state: position.offset, committed: offset, end: finding.marks.high)
            }
            return .beyondEnd(read: offset, end: finding.marks.high)
        }
        guard let mark = Mark(committed.metadata) else {
            guard let state = finding.state, state != offset else { return nil }
            return .offsetSet(state: state, committed: offset)
        }
        if let last = mark.last, let found = finding.found, last.differs(from: found) {
            return .otherTopic(read: offset)
        }
        // Offsets that were aligned with the state know of it too.
        let isEmpty = !finding.hasState && !finding.mayHaveMore
        if mark.users > 0 && isEmpty || mark.changelog > finding.changelogEnd {
            return .stateGone(committed: offset, users: mark.users)
        }
        if mark.isAligned { return nil }
        if isExactlyOnce, let state = finding.state, state > offset {
            return .offsetSet(state: state, committed: offset)
        }
        return nil
    }
}

extension StateTie.Disagreement {
    /// Both positions, in words.
    package func text(_ input: TopicPartition) -> String {
        switch self {
        case .offsetGone(let state):
            "\(input): the state goes up to offset \(state.map(String.init) ?? "an unknown one"), and the group has no "
                + "committed offset (the group was deleted, or its offsets expired)"
        case .offsetSet(let state, let committed):
            "\(input): the state goes up to offset \(state), and the group's committed offset is \(committed), set by "
                + "another program"
        case .offsetBeyondEnd(let state, let committed, let end):
            "\(input): the state goes up to offset \(state), and the group's committed offset is \(committed), set by another "
                + "program, though the topic ends at \(end)"
        case .beyondEnd(let read, let end):
            "\(input): it was read up to offset \(read), and ends at \(end): it was deleted and made anew, or lost records"
        case .otherTopic(let read):
            "\(input): it was read up to offset \(read), and the last one read is another one now: the topic was "
                + "deleted and made anew"
        case .stateGone(let committed, let users):
            "\(input): the committed offset is \(committed), with \(users) users in the state, and the changelog does not "
                + "have them: it was deleted or made anew"
        }
    }
}
