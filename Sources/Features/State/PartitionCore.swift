import Base
import CNumeric
import Events

/// The state of one partition: records, the table that finds them, the undo log, and the tables of the plan.
///
/// A plain struct behind one pointer (see ``PartitionState``), so that no access costs an exclusivity check.
/// Not copyable: it owns its memory, and a copy on the way to a field would cost more than the field.
struct PartitionCore: ~Copyable {
    let program: FeatureProgram
    let codec: UserRecordCodec
    let hash: KeyedHash
    var arena = RecordArena()
    var table = UserTable()
    var undo = UndoLog()
    var counters = PartitionState.Counters()
    var committedCounters = PartitionState.Counters()
    /// The latest event time of the partition, and as of the last commit.
    var clock = Int64.min
    var committedClock = Int64.min
    /// See ``PartitionState/timeToLive``.
    var timeToLive = Int64.max
    /// The number of consent events.
    let consentNumber: UInt8
    /// The numbers selected from the event at hand, by selection.
    let selected: UnsafeMutablePointer<Double>
    /// Stands for the fields of an event under a schema without fields.
    let noFields: UnsafePointer<FieldValue>
    /// Hashes and references of the events on their way, see ``pipelineLength``.
    let pipeline: UnsafeMutablePointer<UInt64>
    let references: UnsafeMutablePointer<UInt32>
    /// Room for a record that is being restored.
    let scratch: UnsafeMutableRawPointer

    // The program's tables once more as bare pointers; `program` keeps them alive.
    let typeCount: Int
    let deduplicationIDs: Int
    let listCount: Int
    let fixedEnd: Int
    let calendarCount: Int
    let distinctCount: Int
    let calendars: UnsafePointer<FeatureProgram.Calendar>
    let distincts: UnsafePointer<FeatureProgram.Distinct>
    let selections: UnsafePointer<Selection>
    let selectedTable: FeatureProgram.TableView<UInt16>
    let rowTable: FeatureProgram.TableView<FeatureProgram.RowOperation>
    let lastNumbers: FeatureProgram.TableView<FeatureProgram.LastNumber>
    let lastIndicators: FeatureProgram.TableView<FeatureProgram.LastIndicator>
    let fixedTable: FeatureProgram.TableView<FeatureProgram.FixedOperation>
    let countedTable: FeatureProgram.TableView<UInt16>
    let templates: UnsafePointer<UInt8>
    let lateness: CalendarClock?
    let reader: FeatureReader.View

    init(_ plan: FeaturePlan, seed: UInt64?) {
        program = plan.program
        codec = UserRecordCodec(plan)
        hash = KeyedHash(seed: seed)
        selected = .allocate(capacity: max(1, program.selections.count))
        pipeline = .allocate(capacity: Self.pipelineLength)
        references = .allocate(capacity: Self.pipelineLength)
        let noFields = UnsafeMutablePointer<FieldValue>.allocate(capacity: 1)
        noFields.initialize(to: .missing)
        self.noFields = UnsafePointer(noFields)
        scratch = .allocate(byteCount: program.largestRecord, alignment: 16)
        consentNumber = plan.schema.typeNumber(Purposes.eventType).map { UInt8(clamping: $0) } ?? Event.noType
        typeCount = program.typeCount
        deduplicationIDs = program.deduplicationIDs
        listCount = program.listCount
        fixedEnd = program.fixedEnd
        calendarCount = program.calendars.count
        distinctCount = program.distincts.count
        calendars = program.calendars.base
        distincts = program.distincts.base
        selections = program.selections.base
        selectedTable = program.selected.view
        rowTable = program.rows.view
        lastNumbers = program.lastNumbers.view
        lastIndicators = program.lastIndicators.view
        fixedTable = program.fixed.view
        countedTable = program.counted.view
        templates = program.templates.base
        lateness = program.lateness
        reader = FeatureReader.View(program.reader)
    }

    deinit {
        arena.deallocate()
        table.deallocate()
        undo.deallocate()
        selected.deallocate()
        scratch.deallocate()
        noFields.deallocate()
        pipeline.deallocate()
        references.deallocate()
    }

    // MARK: Records

    @inline(__always)
    func record(_ reference: UInt32) -> UserRecord { UserRecord(address: arena.address(reference)) }

    /// The bytes of the user's id in the record.
    @inline(__always)
    func user(_ record: UserRecord) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: record.address + fixedEnd, count: record.idBytes)
    }

    /// Where the lists begin.
    @inline(__always)
    func listsStart(_ record: UserRecord) -> Int { fixedEnd &+ RecordLayout.padded(record.idBytes) }

    @inline(__always)
    func find(_ user: UnsafeRawBufferPointer, _ hash: UInt64) -> UnsafeMutablePointer<UInt64>? {
        table.find(hash) { reference in
            let record = record(reference)
            return record.hash == hash && self.user(record).hasBytes(of: user)
        }
    }

    /// Bytes of a block for a record of `used` bytes: an eighth more, in whole units.
    @inline(__always)
    static func blockBytes(_ used: Int) -> Int {
        (used &+ used / 8 &+ RecordArena.unit &- 1) & ~(RecordArena.unit &- 1)
    }

    /// A block that holds `used` bytes. May move any record: references read before are void, entries are not.
    mutating func allocate(used: Int) -> UInt32 {
        let bytes = Self.blockBytes(used)
        if let reference = arena.takeReleased(bytes) { return reference }
        while !arena.hasRoom(bytes) { makeRoom() }
        return arena.take(bytes)
    }

    /// Writes what is local to the process into a fresh block.
    func prepare(_ record: UserRecord, hash: UInt64, idBytes: Int, used: Int) {
        record.write(RecordLayout.hash, hash)
        record.write(RecordLayout.journal, UInt32.max)
        record.write(RecordLayout.capacity, UInt16(truncatingIfNeeded: Self.blockBytes(used) / RecordArena.unit))
        record.write(RecordLayout.idBytes, UInt16(truncatingIfNeeded: idBytes))
        record.write(RecordLayout.used, UInt32(truncatingIfNeeded: used))
        record.write(RecordLayout.epoch, UndoLog.untouched)
    }

    /// A record for a new user, empty, not in the undo log.
    mutating func create(_ user: UnsafeRawBufferPointer, _ hash: UInt64) -> UnsafeMutablePointer<UInt64> {
        let used = fixedEnd + RecordLayout.padded(user.count)
        let reference = allocate(used: used)
        let record = record(reference)
        record.address.initializeMemory(as: UInt8.self, repeating: 0, count: used)
        prepare(record, hash: hash, idBytes: user.count, used: used)
        if let id = user.baseAddress { (record.address + fixedEnd).copyMemory(from: id, byteCount: user.count) }
        return table.insert(hash, reference)
    }

    /// Moves the record of `entry` into a block that holds `used` bytes.
    mutating func enlarge(_ entry: UnsafeMutablePointer<UInt64>, used: Int) -> UserRecord {
        let reference = allocate(used: used)
        // Only now: making room may have moved this record too.
        let old = UserTable.reference(entry)
        move(old, to: reference, blockBytes: Self.blockBytes(used), isReusable: true)
        UserTable.redirect(entry, to: reference)
        return record(reference)
    }

    /// Copies a record into a block, releases its own, and follows it in the undo log; not in the table.
    private mutating func move(_ old: UInt32, to reference: UInt32, blockBytes: Int, isReusable: Bool) {
        let source = record(old)
        let target = record(reference)
        target.address.copyMemory(from: source.address, byteCount: source.used)
        target.write(
            RecordLayout.capacity, UInt16(truncatingIfNeeded: blockBytes / RecordArena.unit) | source.flags)
        if undo.holds(source) {
            undo.redirect(source.read(RecordLayout.journal, as: UInt32.self), to: reference)
        }
        arena.release(old, bytes: source.capacity, isReusable: isReusable)
    }

    /// Starts a chunk, and empties an old one into it when a sixth of the memory is dead.
    mutating func makeRoom() {
        arena.startChunk()
        guard let victim = arena.victim() else { return }
        arena.withdrawReleased(in: victim)
        var ahead = 0
        var offset = 0
        // Records lie in order, their entries in the table at random: those are asked for well before.
        for _ in 0..<Self.distance { askForEntry(in: victim, from: &ahead) }
        while let old = arena.next(in: victim, from: &offset, isLive: true) {
            askForEntry(in: victim, from: &ahead)
            let source = record(old)
            guard let entry = table.find(source.hash, { $0 == old }) else { continue }
            let bytes = min(source.capacity, Self.blockBytes(source.used))
            let reference = arena.takeReleased(bytes) ?? arena.take(bytes)
            move(old, to: reference, blockBytes: bytes, isReusable: false)
            UserTable.redirect(entry, to: reference)
        }
        arena.recycle(victim)
    }

    @inline(__always)
    private func askForEntry(in chunk: Int, from offset: inout Int) {
        guard let reference = arena.next(in: chunk, from: &offset, isLive: true) else { return }
        cnumeric_prefetch(table.home(record(reference).hash))
    }

    // MARK: Transactions

    /// Puts the record into the undo log before its first change since the last commit.
    @inline(__always)
    mutating func touch(_ record: UserRecord, _ reference: UInt32) {
        guard !undo.holds(record) else { return }
        note(undo.append(reference, record), in: record)
    }

    /// Writes into the record where the undo log has it.
    @inline(__always)
    func note(_ journal: UInt32, in record: UserRecord) {
        record.write(RecordLayout.journal, journal)
        record.write(RecordLayout.epoch, undo.epoch)
    }

    /// Takes a user's record away, with its entry in the table.
    mutating func discard(_ entry: UnsafeMutablePointer<UInt64>) {
        let reference = UserTable.reference(entry)
        let record = record(reference)
        table.remove(record.hash, entry)
        arena.release(reference, bytes: record.capacity)
    }

    /// Removes a user; the undo log remembers.
    mutating func remove(_ entry: UnsafeMutablePointer<UInt64>) {
        let reference = UserTable.reference(entry)
        let record = record(reference)
        touch(record, reference)
        undo.redirect(record.read(RecordLayout.journal, as: UInt32.self), to: 0)
        discard(entry)
    }

    /// Empties the undo log.
    mutating func beginTransaction() {
        guard undo.removeAll() else { return }
        table.forEach { record($0).write(RecordLayout.epoch, UndoLog.untouched) }
    }

    mutating func rollback() {
        for i in stride(from: undo.count - 1, through: 0, by: -1) {
            let entry = undo[i]
            if entry.reference != 0 {
                let hash = record(entry.reference).hash
                if let place = table.find(hash, { $0 == entry.reference }) { discard(place) }
            }
            guard let image = entry.image else { continue }
            let saved = UserRecord(address: image)
            let reference = allocate(used: saved.used)
            let restored = record(reference)
            restored.address.copyMemory(from: image, byteCount: saved.used)
            prepare(restored, hash: saved.hash, idBytes: saved.idBytes, used: saved.used)
            restored.raise(saved.flags)
            _ = table.insert(saved.hash, reference)
        }
        beginTransaction()
        counters = committedCounters
        clock = committedClock
    }
}
