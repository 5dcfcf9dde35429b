import Events

extension PartitionCore {
    /// Keeps the tables of distinct values: drops what left the window, and adds the event's value.
    @inline(__always)
    mutating func applyDistincts(
        _ type: Int, _ fields: UnsafePointer<FieldValue>, _ moment: Moment, _ cursor: inout Cursor
    ) {
        var next = Int(countedTable.start[type])
        let end = Int(countedTable.start[type &+ 1])
        var d = 0
        while d < distinctCount {
            let table = distincts[d]
            let list = 1 &+ calendarCount &+ d
            let current = table.clock.bucket(moment.now)
            var count = cursor.record.listCount(list)
            if count > 0, moment.now != moment.before, current != table.clock.bucket(moment.before) {
                count = expire(count, current, table.clock.buckets, cursor)
                cursor.record.setListCount(list, count)
            }
            if next < end, Int(countedTable.operations[next]) == d {
                next &+= 1
                let bucket = moment.minute == moment.now ? current : table.clock.bucket(moment.minute)
                if bucket &+ table.clock.buckets > current, let value = Self.fingerprint(table, fields) {
                    count = add(value, UInt32(truncatingIfNeeded: bucket), table.capacity, count, &cursor)
                    cursor.record.setListCount(list, count)
                }
            }
            cursor.offset &+= count &* 8
            d &+= 1
        }
    }

    /// 32 bits of a value; two values of a user are taken for one with a chance of 2⁻³² a pair.
    @inline(__always)
    private static func fingerprint(_ table: FeatureProgram.Distinct, _ fields: UnsafePointer<FieldValue>) -> UInt32? {
        if let condition = table.condition, !condition.passes(fields) { return nil }
        let value = fields[table.field]
        guard value.kind != .missing else { return nil }
        // Adding zero makes −0 and 0 one value; kinds differ, so that true and 1 are two.
        let payload =
            value.kind == .number ? (Double(bitPattern: value.payload) + 0).bitPattern : value.payload
        let product = (payload ^ 0xA076_1D64_78BD_642F &* UInt64(value.kind.rawValue))
            .multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
        let mixed = product.high ^ product.low
        return UInt32(truncatingIfNeeded: mixed ^ mixed >> 32)
    }

    /// Removes the values that were last seen before the window, keeping the order of the others.
    @inline(__always)
    private mutating func expire(_ count: Int, _ current: UInt64, _ buckets: UInt64, _ cursor: Cursor) -> Int {
        let values = cursor.record.address + cursor.offset
        var kept = 0
        var i = 0
        while i < count {
            let value = values.load(fromByteOffset: i &* 8, as: UInt64.self)
            // The bucket is the upper half.
            if value >> 32 &+ buckets > current {
                if kept != i { values.storeBytes(of: value, toByteOffset: kept &* 8, as: UInt64.self) }
                kept &+= 1
            }
            i &+= 1
        }
        if kept < count { remove((count &- kept) &* 8, at: cursor.offset &+ kept &* 8, cursor.record) }
        return kept
    }

    /// Notes a value seen in a bucket. A full table gives up the value seen longest ago, of several the one that
    /// came first; when the new value itself is older than all, it is the one given up.
    @inline(__always)
    private mutating func add(
        _ fingerprint: UInt32, _ bucket: UInt32, _ capacity: Int, _ count: Int, _ cursor: inout Cursor
    ) -> Int {
        let values = cursor.record.address + cursor.offset
        let new = UInt64(bucket) << 32 | UInt64(fingerprint)
        var i = 0
        while i < count {
            if values.load(fromByteOffset: i &* 8, as: UInt32.self) == fingerprint {
                if values.load(fromByteOffset: i &* 8, as: UInt64.self) < new {
                    values.storeBytes(of: new, toByteOffset: i &* 8, as: UInt64.self)
                }
                return count
            }
            i &+= 1
        }
        if count == capacity {
            let oldest = Self.oldest(values, count)
            if values.load(fromByteOffset: oldest &* 8, as: UInt64.self) >> 32 > UInt64(bucket) { return count }
            let gap = values + oldest &* 8
            gap.copyMemory(from: gap + 8, byteCount: (count &- 1 &- oldest) &* 8)
            values.storeBytes(of: new, toByteOffset: (count &- 1) &* 8, as: UInt64.self)
            return count
        }
        insert(8, at: cursor.offset &+ count &* 8, &cursor)
        cursor.record.write(cursor.offset &+ count &* 8, new)
        return count &+ 1
    }

    /// The first of the values with the earliest bucket.
    private static func oldest(_ values: UnsafeMutableRawPointer, _ count: Int) -> Int {
        var oldest = 0
        var earliest = UInt64.max
        for i in 0..<count {
            let bucket = values.load(fromByteOffset: i &* 8, as: UInt64.self) >> 32
            if bucket < earliest {
                earliest = bucket
                oldest = i
            }
        }
        return oldest
    }
}
