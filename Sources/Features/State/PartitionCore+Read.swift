extension PartitionCore {
    /// Writes the user's features, as of the user's clock.
    ///
    /// In parts that are not inlined into each other: together they need more values than a processor has registers.
    @inline(__always)
    func read(_ reference: UInt32, into row: UnsafeMutablePointer<Float>) {
        let record = record(reference)
        readCalendars(record, into: row)
        var d = 0
        while d < distinctCount {
            row[Int(reader.distinct[d])] = Float(record.listCount(1 &+ calendarCount &+ d))
            d &+= 1
        }
        readFixed(record, record.clock, into: row)
        finish(row)
    }

    @inline(never)
    private func readCalendars(_ record: UserRecord, into row: UnsafeMutablePointer<Float>) {
        let now = CalendarClock.minute(record.clock)
        var rows = record.address + (listsStart(record) &+ record.listCount(0) &* 8)
        var c = 0
        while c < calendarCount {
            let count = record.listCount(1 &+ c)
            readRows(c, calendars[c], rows, count, now, into: row)
            rows += count &* calendars[c].rowBytes
            c &+= 1
        }
    }

    /// Writes a user's features as of a time that is not before the user's clock: what an event of that time, which counts
    /// nowhere, would leave.
    func read(_ record: UserRecord, at clock: Int64, into row: UnsafeMutablePointer<Float>) {
        let now = CalendarClock.minute(clock)
        var offset = listsStart(record) &+ record.listCount(0) &* 8
        for c in 0..<calendarCount {
            let count = record.listCount(1 &+ c)
            readRows(c, calendars[c], record.address + offset, count, now, into: row)
            offset &+= count &* calendars[c].rowBytes
        }
        for d in 0..<distinctCount {
            // What has left the window since the user's clock is still in the table.
            let current = distincts[d].clock.bucket(now)
            let count = record.listCount(1 &+ calendarCount &+ d)
            var alive = 0
            for i in 0..<count {
                let value = record.read(offset &+ i &* 8, as: UInt64.self)
                if value >> 32 &+ distincts[d].clock.buckets > current { alive &+= 1 }
            }
            row[Int(reader.distinct[d])] = Float(alive)
            offset &+= count &* 8
        }
        readFixed(record, clock, into: row)
        finish(row)
    }

    /// The aggregates of one calendar. Sums run from the oldest bucket to the newest.
    @inline(__always)
    private func readRows(
        _ c: Int, _ calendar: FeatureProgram.Calendar, _ rows: UnsafeMutableRawPointer, _ count: Int, _ now: UInt64,
        into row: UnsafeMutablePointer<Float>
    ) {
        let reads = reader.rows
        let stride = calendar.rowBytes
        let end = Int(reads.start[c &+ 1])
        var i = Int(reads.start[c])
        var buckets = UInt64.max
        var first = 0
        while i < end {
            let read = reads.operations + i
            i &+= 1
            if UInt64(read.pointee.buckets) != buckets {
                // Windows come longest first, so the first row only moves on.
                buckets = UInt64(read.pointee.buckets)
                let current = calendar.clock.bucket(now)
                while first < count,
                    UInt64(rows.load(fromByteOffset: first &* stride, as: UInt32.self)) &+ buckets <= current
                { first &+= 1 }
            }
            let window = rows + first &* stride
            let left = count &- first
            switch read.pointee.kind {
            case .count: Self.counts(read, window, left, stride, into: row)
            case .sum: Self.sums(read, window, left, stride, into: row)
            case .mean: Self.mean(read.pointee, window, left, stride, into: row)
            case .min, .max: Self.extreme(read.pointee, window, left, stride, into: row)
            }
        }
    }

    @inline(never)
    private static func counts(
        _ read: UnsafePointer<FeatureReader.RowRead>, _ rows: UnsafeMutableRawPointer, _ count: Int, _ stride: Int,
        into row: UnsafeMutablePointer<Float>
    ) {
        var (w, x, y, z): (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let (a, b) = (Int(read.pointee.offsets.0), Int(read.pointee.offsets.1))
        let (c, d) = (Int(read.pointee.offsets.2), Int(read.pointee.offsets.3))
        var lane = rows
        let end = rows + count &* stride
        while lane < end {
            w &+= UInt64(lane.load(fromByteOffset: a, as: UInt32.self))
            x &+= UInt64(lane.load(fromByteOffset: b, as: UInt32.self))
            y &+= UInt64(lane.load(fromByteOffset: c, as: UInt32.self))
            z &+= UInt64(lane.load(fromByteOffset: d, as: UInt32.self))
            lane += stride
        }
        row[Int(read.pointee.features.0)] = Float(w)
        row[Int(read.pointee.features.1)] = Float(x)
        row[Int(read.pointee.features.2)] = Float(y)
        row[Int(read.pointee.features.3)] = Float(z)
    }

    @inline(never)
    private static func sums(
        _ read: UnsafePointer<FeatureReader.RowRead>, _ rows: UnsafeMutableRawPointer, _ count: Int, _ stride: Int,
        into row: UnsafeMutablePointer<Float>
    ) {
        var (first, second) = (0.0, 0.0)
        var (a, b) = (rows + Int(read.pointee.offsets.0), rows + Int(read.pointee.offsets.1))
        for _ in 0..<count {
            first += a.load(as: Double.self)
            second += b.load(as: Double.self)
            a += stride
            b += stride
        }
        row[Int(read.pointee.features.0)] = Float(first)
        row[Int(read.pointee.features.1)] = Float(second)
    }

    @inline(never)
    private static func mean(
        _ read: FeatureReader.RowRead, _ rows: UnsafeMutableRawPointer, _ count: Int, _ stride: Int,
        into row: UnsafeMutablePointer<Float>
    ) {
        var sum = 0.0
        var number: UInt64 = 0
        var (a, b) = (rows + Int(read.offsets.0), rows + Int(read.offsets.1))
        for _ in 0..<count {
            sum += a.load(as: Double.self)
            number &+= UInt64(b.load(as: UInt32.self))
            a += stride
            b += stride
        }
        row[Int(read.features.0)] = number == 0 ? .nan : Float(sum / Double(number))
    }

    /// The minimum or maximum; a row in which nothing was measured has NaN.
    @inline(never)
    private static func extreme(
        _ read: FeatureReader.RowRead, _ rows: UnsafeMutableRawPointer, _ count: Int, _ stride: Int,
        into row: UnsafeMutablePointer<Float>
    ) {
        var result = Float.nan
        var lane = rows + Int(read.offsets.0)
        for _ in 0..<count {
            let value = lane.load(as: Float.self)
            let isBeyond = read.kind == .min ? !(value >= result) : !(value <= result)
            if isBeyond, !value.isNaN { result = value }
            lane += stride
        }
        row[Int(read.features.0)] = result
    }

    @inline(never)
    private func readFixed(_ record: UserRecord, _ clock: Int64, into row: UnsafeMutablePointer<Float>) {
        for read in reader.lasts {
            let isNever = record.read(Int(read.time), as: UInt64.self) == 0
            let value = Float(bitPattern: record.read(Int(read.value), as: UInt32.self))
            row[Int(read.feature)] = isNever || value.isNaN ? read.missing : value
        }
        for read in reader.recencies {
            let time = StoredTime(record.read(Int(read.time), as: UInt64.self))
            row[Int(read.feature)] = time.isNever ? read.missing : Float(Double(clock &- time.time) / 1_000)
        }
        for read in reader.decayed {
            let time = StoredTime(record.read(Int(read.time), as: UInt64.self))
            let value = Double(bitPattern: record.read(Int(read.value), as: UInt64.self))
            let decay = time.isNever ? 0 : Exponential.decay(elapsed: clock &- time.time, halfLife: read.halfLife)
            let result = Float(value * decay)
            row[Int(read.feature)] = result.isNaN ? read.missing : result
        }
    }

    /// Defaults of what is read from rows, then ratios, then their defaults.
    @inline(never)
    private func finish(_ row: UnsafeMutablePointer<Float>) {
        fill(reader.defaults, row)
        for ratio in reader.ratios {
            let denominator = row[Int(ratio.denominator)]
            row[Int(ratio.feature)] = denominator == 0 ? .nan : row[Int(ratio.numerator)] / denominator
        }
        fill(reader.ratioDefaults, row)
        if !reader.operations.isEmpty { FeatureArithmetic.apply(reader.operations, reader.operands, row) }
    }

    @inline(__always)
    private func fill(_ defaults: UnsafeBufferPointer<FeatureReader.Default>, _ row: UnsafeMutablePointer<Float>) {
        for place in defaults where row[Int(place.feature)].isNaN { row[Int(place.feature)] = place.value }
    }
}
