import Base
import Consumer
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import StateStore
import Tabular
import Terminal

/// `impactiq state delete --report`: where a user still is, and until when. Changes nothing.
struct StateReport {
    /// One place that holds the user, or may.
    private struct Finding {
        /// Nil where only looking at everything would tell.
        var isHeld: Bool?
        var place: String
        var what: String
        /// Until when it is there, or who takes it away.
        var until: String
    }

    private let user: String
    private let key: [UInt8]
    private let configuration: Configuration
    private var findings: [Finding] = []

    init(_ user: String, _ configuration: Configuration, rows: [String]) throws {
        self.user = user
        key = Array(user.utf8)
        self.configuration = configuration
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        defer { admin.close() }
        try lookAtState(admin)
        lookAtLocalCopies()
        lookAtLogStore()
        try lookAtDeadLetters(admin)
        for path in rows { try lookAtRows(path) }
        for topic in configuration.inputTopics {
            findings.append(
                Finding(
                    isHeld: nil, place: topic, what: "events of the user, the erasing one among them",
                    until: Self.retention(admin, topic)))
        }
        findings.append(
            Finding(
                isHeld: nil, place: configuration.outputTopic, what: "scores of the user",
                until: Self.retention(admin, configuration.outputTopic)))
        if rows.isEmpty {
            findings.append(
                Finding(
                    isHeld: nil, place: "training rows, reports, backups", what: "not known to the program",
                    until: "name files of rows with --rows"))
        }
    }

    // MARK: State

    /// The state as it is, and the records that the changelog has beside the last one.
    private mutating func lookAtState(_ admin: Admin) throws {
        let topic = configuration.changelogTopic
        let reader = try ChangelogReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: topic, prefetchBytes: 16 << 20)
        defer { reader.close() }
        let all = (0..<Int32(try reader.partitions())).map { ($0, Int64?.none) }
        var records: [Int32: Int] = [:]
        var isLastDeleted: [Int32: Bool] = [:]
        try reader.read(from: Dictionary(uniqueKeysWithValues: all)) { partition, _, id, record in
            guard id.elementsEqual(key) else { return }
            if record != nil { records[partition, default: 0] += 1 }
            isLastDeleted[partition] = record == nil
        }
        for (partition, isDeleted) in isLastDeleted.sorted(by: { $0.key < $1.key }) {
            let count = records[partition] ?? 0
            if !isDeleted {
                findings.append(
                    Finding(
                        isHeld: true, place: "\(topic) [\(partition)]", what: "the user's state, in memory too",
                        until: "until the user is erased ('impactiq state delete \(user) --yes')"))
            }
            let earlier = isDeleted ? count : count - 1
            guard earlier > 0 else { continue }
            findings.append(
                Finding(
                    isHeld: true, place: "\(topic) [\(partition)]",
                    what: "\(earlier) earlier record\(earlier == 1 ? "" : "s") of the user",
                    until: Self.compaction(admin, topic)))
        }
        if isLastDeleted.values.allSatisfy({ $0 }) {
            findings.append(Finding(isHeld: false, place: topic, what: "no state of the user", until: ""))
        }
    }

    private static func compaction(_ admin: Admin, _ topic: String) -> String {
        let settings = (try? admin.settings(of: topic)) ?? [:]
        let lag = settings["max.compaction.lag.ms"].flatMap { Int64($0) } ?? .max
        let segment = settings["segment.ms"].flatMap { Int64($0) } ?? 604_800_000
        if lag < 3_650 * 86_400_000 { return "until compaction, due \(span(lag)) after it was written" }
        return "until compaction, which leaves out the last segment (a new one begins after \(span(segment)) or "
            + "segment.bytes); max.compaction.lag.ms on the topic makes it a deadline"
    }

    private static func retention(_ admin: Admin, _ topic: String) -> String {
        guard let settings = try? admin.settings(of: topic), !settings.isEmpty else { return "the topic is not there" }
        if settings["cleanup.policy"]?.contains("compact") ?? false { return compaction(admin, topic) }
        let time = settings["retention.ms"].flatMap { Int64($0) } ?? -1
        let bytes = settings["retention.bytes"].flatMap { Int64($0) } ?? -1
        if time < 0 { return bytes < 0 ? "for ever: the topic keeps everything" : "until its retention.bytes are full" }
        return "until retention, \(span(time)) after each was written, or a segment later"
    }

    private static func span(_ milliseconds: Int64) -> String {
        if milliseconds % 86_400_000 == 0 { return "\(milliseconds / 86_400_000) d" }
        if milliseconds >= 3_600_000 { return "\(milliseconds / 3_600_000) h" }
        return "\(milliseconds / 1_000) s"
    }

    // MARK: Files of state.dir

    private mutating func lookAtLocalCopies() {
        let folder = configuration.stateDirectory
        do {
            let copies = try LocalCopies(stateDirectory: folder, topic: configuration.changelogTopic)
            defer { copies.close() }
            for copy in copies.copies {
                guard try copy.store.record(copy.partition, user: key) != nil else { continue }
                findings.append(
                    Finding(
                        isHeld: true, place: "\(copy.store.path), partition \(copy.partition)",
                        what: "the user's record as of changelog offset \(copy.checkpoint.offset)",
                        until: "until the process that owns it has erased the user and written its next pass "
                            + "(state.checkpoint.interval.ms); one that runs no more keeps it until it starts"))
            }
            for store in Set(copies.copies.map(\.store.path)).sorted() {
                lookAtManifest(of: store)
                guard let since = try copies.copies.first(where: { $0.store.path == store })?.store.deletionsSince()
                else { continue }
                let due = Date(timeIntervalSince1970: Double(since + LocalState.deletionDeadline) / 1_000)
                findings.append(
                    Finding(
                        isHeld: nil, place: "\(store)/*.sst", what: "bytes of users who were deleted",
                        until: "who is erased goes with the pass; all others until the files are merged, at the latest "
                            + "\(due.formatted(.iso8601))"))
            }
        } catch {
            findings.append(
                Finding(isHeld: nil, place: folder, what: "\(error)", until: "the local copies could not be read"))
        }
        for path in Self.damaged(in: folder) {
            findings.append(
                Finding(
                    isHeld: nil, place: path, what: "a damaged copy that was moved aside, with every user it had",
                    until: "until the next damage, or until you delete the folder"))
        }
    }

    /// RocksDB notes the first and the last key of each of its files.
    private mutating func lookAtManifest(of store: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: store)) ?? []
        for name in names.sorted() where name.hasPrefix("MANIFEST-") {
            guard let bytes = FileManager.default.contents(atPath: "\(store)/\(name)"), !key.isEmpty,
                bytes.range(of: Data(key)) != nil
            else { continue }
            findings.append(
                Finding(
                    isHeld: true, place: "\(store)/\(name)", what: "the user's id, as the first or last of a file",
                    until: "until the process that owns it starts again, or 64 KiB of later changes"))
        }
    }

    private static func damaged(in folder: String) -> [String] {
        let files = FileManager.default
        func names(_ folder: String) -> [String] { ((try? files.contentsOfDirectory(atPath: folder)) ?? []).sorted() }
        let folders = [folder] + names(folder).map { "\(folder)/\($0)" }
        return folders.flatMap { folder in
            names(folder).filter { $0.hasPrefix("rocksdb-") && $0.contains(".damaged-") }.map { "\(folder)/\($0)" }
        }
    }

    // MARK: Log store

    private mutating func lookAtLogStore() {
        guard let address = configuration.logStore else {
            findings.append(
                Finding(
                    isHeld: nil, place: "log store", what: "none is configured here; other processes may fill one",
                    until: "ask with their configuration"))
            return
        }
        // Looking must not make a database.
        if let path = address.path, !FileManager.default.fileExists(atPath: path) {
            let what = "the file does not exist"
            return findings.append(Finding(isHeld: false, place: address.description, what: what, until: ""))
        }
        do {
            let store = try address.make()
            try store.open(stop: LogStoreStop())
            defer { store.close() }
            let count = try store.rowCount(user: user)
            let until =
                configuration.erasesLogStore
                ? "until its reader comes to the erasure in \(configuration.outputTopic)"
                : "for ever: log.store.erase is false, so that an erasure does not reach it. Set it, or DELETE FROM scores "
                    + "WHERE user_id = …"
            findings.append(
                Finding(
                    isHeld: count > 0, place: store.place, what: "\(count) row\(count == 1 ? "" : "s") of the user",
                    until: count > 0 ? until : ""))
            guard let path = address.path else {
                findings.append(
                    Finding(
                        isHeld: nil, place: store.place, what: "dead rows and the server's write-ahead log",
                        until: "until VACUUM, which the server does by itself, and its next checkpoints"))
                return
            }
            let log = (try? FileManager.default.attributesOfItem(atPath: path + "-wal"))?[.size] as? Int ?? 0
            if log > 0 {
                findings.append(
                    Finding(
                        isHeld: nil, place: path + "-wal", what: "\(log) bytes of rows that are written",
                        until: "until an erasure, which cuts it, or until its last user closes the file"))
            }
        } catch {
            findings.append(
                Finding(
                    isHeld: nil, place: address.description, what: error.message, until: "it could not be asked"))
        }
    }

    // MARK: Dead letters and rows

    private mutating func lookAtDeadLetters(_ admin: Admin) throws {
        let topic = configuration.deadLetterTopic
        var count = 0
        do {
            let reader = DeadLetterReader(
                properties: configuration.kafkaProperties(client: "consumer"), topic: topic)
            try reader.read { letter in
                if letter.record.key == key || Self.contains(letter.record.value ?? [], key) { count += 1 }
                return !StopSignal.isRaised
            }
        } catch let error as ImpactError where error.code == "kafka_topic" {
            findings.append(Finding(isHeld: false, place: topic, what: "the topic is not there", until: ""))
            return
        }
        findings.append(
            Finding(
                isHeld: count > 0, place: topic,
                what: "\(count) dead letter\(count == 1 ? "" : "s") with the user's key or id",
                until: count > 0 ? Self.retention(admin, topic) : ""))
    }

    private static func contains(_ bytes: [UInt8], _ wanted: [UInt8]) -> Bool {
        guard let first = wanted.first, bytes.count >= wanted.count else { return false }
        for start in 0...bytes.count - wanted.count where bytes[start] == first {
            if bytes[start..<start + wanted.count].elementsEqual(wanted) { return true }
        }
        return false
    }

    private mutating func lookAtRows(_ path: String) throws {
        let table = try CSVTable(path: path)
        guard let column = table.columns.firstIndex(of: "user_id") else {
            throw ImpactError(.badInput, code: "csv_column", "\(path) has no column 'user_id'")
        }
        var count = 0
        while try table.advance() {
            let text = table.record.text(table.text, column)
            // As `--spreadsheet` marks it.
            if text == user || text == "'" + user { count += 1 }
        }
        findings.append(
            Finding(
                isHeld: count > 0, place: path, what: "\(count) row\(count == 1 ? "" : "s") of the user",
                until: count > 0 ? "until you take \(count == 1 ? "it" : "them") out, or make the rows anew" : ""))
    }

    // MARK: Output

    var text: String {
        var table = Table(.text("held"), .text("where"), .text("what"), .text("until"))
        for finding in findings {
            table.add(finding.isHeld.map { $0 ? "yes" : "no" } ?? "may be", finding.place, finding.what, finding.until)
        }
        return table.text(width: Terminal.Stream.output.windowSize?.columns)
    }

    var json: JSONOutput {
        [
            "user_id": .text(user),
            "places": .array(
                findings.map {
                    [
                        "held": $0.isHeld.map { .bool($0) } ?? .null, "where": .text($0.place), "what": .text($0.what),
                        "until": .text($0.until),
                    ]
                }),
        ]
    }
}
