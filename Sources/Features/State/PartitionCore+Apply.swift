import Events

extension PartitionCore {
    /// Applies one event to its user's record. Returns the record's reference, 0 for a duplicate, or ``refused``.
    ///
    /// `fields` has a value for every field of the plan's schema.
    @inline(__always)
    mutating func apply(
        _ event: Arrival, _ fields: UnsafePointer<FieldValue>, _ user: UnsafeRawBufferPointer, _ hash: UInt64
    ) -> UInt32 {
        var cursor: Cursor
        let time = event.time
        if time > clock { clock = time }
        if event.type == consentNumber { return applyConsent(event, user, hash) }
        var isAdvance = true
        // The user's clock before this event; a new user has nothing that could leave a window.
        var before = time
        if let entry = find(user, hash), !expire(entry) {
            let reference = UserTable.reference(entry)
            let record = record(reference)
            if record.refuses.contains(.storing) { return Self.refused }
            if event.hasID, isKnown(event.idHash, record) {
                counters.duplicates &+= 1
                return 0
            }
            touch(record, reference)
            cursor = Cursor(record: record, entry: entry, offset: listsStart(record))
            before = record.clock
            isAdvance = time > before
        } else {
            let entry = create(user, hash)
            let reference = UserTable.reference(entry)
            let record = record(reference)
            note(undo.appendNew(reference), in: record)
            cursor = Cursor(record: record, entry: entry, offset: listsStart(record))
        }
        counters.events &+= 1
        if isAdvance { cursor.record.write(RecordLayout.clock, time) }
        let events = cursor.record.read(RecordLayout.events, as: UInt32.self)
        cursor.record.write(RecordLayout.events, events == .max ? .max : events &+ 1)

        let now = isAdvance ? CalendarClock.minute(time) : CalendarClock.minute(before)
        let minute = isAdvance ? now : CalendarClock.minute(time)
        if !isAdvance, let lateness, lateness.bucket(minute) &+ lateness.buckets <= lateness.bucket(now) {
            counters.late &+= 1
        }
        let type = Int(event.type) < typeCount ? Int(event.type) : typeCount
        applyLasts(type, fields, time, isLatest: time >= before, cursor.record)
        select(type, fields)
        applyFixed(type, time, cursor.record)
        if event.hasID, deduplicationIDs > 0 { remember(event.idHash, &cursor) }
        cursor.offset &+= cursor.record.listCount(0) &* 8
        let moment = Moment(now: now, before: isAdvance ? CalendarClock.minute(before) : now, minute: minute)
        applyCalendars(type, moment, &cursor)
        if distinctCount > 0 { applyDistincts(type, fields, moment, &cursor) }
        return UserTable.reference(cursor.entry)
    }

    /// What the state reads of an event.
    struct Arrival: BitwiseCopyable {
        let type: UInt8
        let hasID: Bool
        let time: Int64
        let idHash: UInt64
        let refuses: Purposes
        let allows: Purposes

        @inline(__always)
        init(_ event: Event) {
            type = event.type
            refuses = event.refuses
            allows = event.allows
            hasID = event.hasID
            time = event.time
            idHash = event.idHash
        }
    }

    /// When an event happened, in minutes.
    struct Moment: BitwiseCopyable {
        /// The user's clock with this event, and before it.
        let now: UInt64
        let before: UInt64
        /// The event's own time.
        let minute: UInt64
    }

    /// A place in a record that grows: records move, entries of the table do not.
    struct Cursor {
        var record: UserRecord
        let entry: UnsafeMutablePointer<UInt64>
        /// Where the list at hand begins.
        var offset: Int
    }

    // MARK: Bytes of a list

    /// Opens a gap of `bytes` at `offset`; its content is undefined.
    @inline(__always)
    mutating func insert(_ bytes: Int, at offset: Int, _ cursor: inout Cursor) {
        let used = cursor.record.used
        if used &+ bytes > cursor.record.capacity { cursor.record = enlarge(cursor.entry, used: used &+ bytes) }
        let place = cursor.record.address + offset
        (place + bytes).copyMemory(from: place, byteCount: used &- offset)
        cursor.record.write(RecordLayout.used, UInt32(truncatingIfNeeded: used &+ bytes))
    }

    /// Closes the `bytes` at `offset`.
    @inline(__always)
    func remove(_ bytes: Int, at offset: Int, _ record: UserRecord) {
        let used = record.used
        let place = record.address + offset
        place.copyMemory(from: place + bytes, byteCount: used &- offset &- bytes)
        record.write(RecordLayout.used, UInt32(truncatingIfNeeded: used &- bytes))
    }

    // MARK: Event ids

    @inline(__always)
    func isKnown(_ id: UInt64, _ record: UserRecord) -> Bool {
        var next = record.address + listsStart(record)
        let end = next + record.listCount(0) &* 8
        // Almost every id is new, so all are looked at anyway: no branch an id.
        var isKnown = false
        while next < end {
            isKnown = isKnown || next.load(as: UInt64.self) == id
            next += 8
        }
        return isKnown
    }

    @inline(__always)
    mutating func remember(_ id: UInt64, _ cursor: inout Cursor) {
        let count = cursor.record.listCount(0)
        if count < deduplicationIDs {
            insert(8, at: cursor.offset &+ count &* 8, &cursor)
            cursor.record.setListCount(0, count &+ 1)
            cursor.record.write(cursor.offset &+ count &* 8, id)
        } else {
            let oldest = Int(cursor.record.read(RecordLayout.oldestID, as: UInt16.self))
            cursor.record.write(cursor.offset &+ oldest &* 8, id)
            let next = oldest &+ 1 == count ? 0 : oldest &+ 1
            cursor.record.write(RecordLayout.oldestID, UInt16(truncatingIfNeeded: next))
        }
    }

    // MARK: Aggregates

    @inline(__always)
    private func select(_ type: Int, _ fields: UnsafePointer<FieldValue>) {
        var i = Int(selectedTable.start[type])
        let end = Int(selectedTable.start[type &+ 1])
        while i < end {
            let selection = Int(selectedTable.operations[i])
            selected[selection] = selections[selection].read(fields)
            i &+= 1
        }
    }

    @inline(__always)
    private mutating func applyCalendars(
        _ type: Int, _ moment: Moment, _ cursor: inout Cursor
    ) {
        var c = 0
        while c < calendarCount {
            let calendar = calendars[c]
            let rowBytes = calendar.rowBytes
            var count = cursor.record.listCount(1 &+ c)
            let current = calendar.clock.bucket(moment.now)
            // Rows leave when the clock enters another bucket, not before.
            if count > 0, moment.now != moment.before, current != calendar.clock.bucket(moment.before) {
                let expired = expiredRows(count, rowBytes, current, calendar.clock.buckets, cursor)
                if expired > 0 {
                    remove(expired &* rowBytes, at: cursor.offset, cursor.record)
                    count &-= expired
                    cursor.record.setListCount(1 &+ c, count)
                }
            }
            let start = Int(rowTable.start[type &* calendarCount &+ c])
            let end = Int(rowTable.start[type &* calendarCount &+ c &+ 1])
            if start < end {
                let bucket = moment.minute == moment.now ? current : calendar.clock.bucket(moment.minute)
                if bucket &+ calendar.clock.buckets > current {
                    count = applyRow(c, calendar, count, bucket, start, end, &cursor)
                }
            }
            cursor.offset &+= count &* rowBytes
            c &+= 1
        }
    }

    @inline(__always)
    private func expiredRows(
        _ count: Int, _ rowBytes: Int, _ current: UInt64, _ buckets: UInt64, _ cursor: Cursor
    ) -> Int {
        let rows = cursor.record.address + cursor.offset
        var i = 0
        while i < count {
            let bucket = UInt64(rows.load(fromByteOffset: i &* rowBytes, as: UInt32.self))
            if bucket &+ buckets > current { break }
            i &+= 1
        }
        return i
    }

    /// Adds the event to the row of its bucket; the row is made when a number is there for it. Returns the new count.
    @inline(__always)
    private mutating func applyRow(
        _ c: Int, _ calendar: FeatureProgram.Calendar, _ count: Int, _ bucket: UInt64, _ start: Int, _ end: Int,
        _ cursor: inout Cursor
    ) -> Int {
        let operations = rowTable.operations
        var i = start
        while i < end, selected[Int(operations[i].selection)].isNaN { i &+= 1 }
        if i == end { return count }
        let rowBytes = calendar.rowBytes
        let rows = cursor.record.address + cursor.offset
        let wanted = UInt32(truncatingIfNeeded: bucket)
        var place = count
        while place > 0, rows.load(fromByteOffset: (place &- 1) &* rowBytes, as: UInt32.self) > wanted { place &-= 1 }
        var newCount = count
        if place > 0, rows.load(fromByteOffset: (place &- 1) &* rowBytes, as: UInt32.self) == wanted {
            place &-= 1
        } else {
            insert(rowBytes, at: cursor.offset &+ place &* rowBytes, &cursor)
            let row = cursor.record.address + (cursor.offset &+ place &* rowBytes)
            row.copyMemory(from: templates + calendar.template, byteCount: rowBytes)
            row.storeBytes(of: wanted, as: UInt32.self)
            newCount &+= 1
            cursor.record.setListCount(1 &+ c, newCount)
        }
        let row = UserRecord(address: cursor.record.address + (cursor.offset &+ place &* rowBytes))
        while i < end {
            let operation = operations[i]
            i &+= 1
            let number = selected[Int(operation.selection)]
            if number.isNaN { continue }
            let offset = Int(operation.offset)
            switch operation.kind {
            case .count:
                let value = row.read(offset, as: UInt32.self)
                row.write(offset, value == .max ? .max : value &+ 1)
            case .sum:
                row.write(offset, row.read(offset, as: Double.self) + number)
            case .min:
                let value = row.read(offset, as: Float.self)
                if !(value <= Float(number)) { row.write(offset, Float(number)) }
            case .max:
                let value = row.read(offset, as: Float.self)
                if !(value >= Float(number)) { row.write(offset, Float(number)) }
            }
        }
        return newCount
    }
}
