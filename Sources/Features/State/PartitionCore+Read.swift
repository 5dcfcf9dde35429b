extension PartitionCore {
    /// Writes the user's features, as of the user's clock.
    @inline(__always)
    func read(_ reference: UInt32, into row: UnsafeMutablePointer<Float>) {
        let record = record(reference)
        let clock = record.clock
        let now = CalendarClock.minute(clock)
        var offset = listsStart(record) &+ record.listCount(0) &* 8
        var c = 0
        while c < calendarCount {
            let calendar = calendars[c]
            let count = record.listCount(1 &+ c)
            readRows(c, calendar, record.address + offset, count, now, into: row)
            offset &+= count &* calendar.rowBytes
            c &+= 1
        }
        var d = 0
        while d < distinctCount {
            row[Int(reader.distinct[d])] = Float(record.listCount(1 &+ calendarCount &+ d))
            d &+= 1
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
            let read = reads.operations[i]
            i &+= 1
            if UInt64(read.buckets) != buckets {
                // Windows come longest first, so the first row only moves on.
                buckets = UInt64(read.buckets)
                let current = calendar.clock.bucket(now)
                while first < count,
                    UInt64(rows.load(fromByteOffset: first &* stride, as: UInt32.self)) &+ buckets <= current
                { first &+= 1 }
            }
            var lane = rows + (first &* stride &+ Int(read.offset))
            let left = count &- first
            var result: Float
            switch read.kind {
            case .count:
                result = Float(Self.total(lane, left, stride))
            case .sum:
                result = Float(Self.sum(lane, left, stride))
            case .mean:
                let number = Self.total(rows + (first &* stride &+ Int(read.second)), left, stride)
                result = number == 0 ? .nan : Float(Self.sum(lane, left, stride) / Double(number))
            case .min, .max:
                result = .nan
                for _ in 0..<left {
                    let value = lane.load(as: Float.self)
                    if read.kind == .min ? !(value >= result) : !(value <= result), !value.isNaN { result = value }
                    lane += stride
                }
            }
            row[Int(read.feature)] = result
        }
    }

    @inline(__always)
    private static func total(_ lane: UnsafeMutableRawPointer, _ count: Int, _ stride: Int) -> UInt64 {
        var total: UInt64 = 0
        var offset = 0
        for _ in 0..<count {
            total &+= UInt64(lane.load(fromByteOffset: offset, as: UInt32.self))
            offset &+= stride
        }
        return total
    }

    @inline(__always)
    private static func sum(_ lane: UnsafeMutableRawPointer, _ count: Int, _ stride: Int) -> Double {
        var sum = 0.0
        var offset = 0
        for _ in 0..<count {
            sum += lane.load(fromByteOffset: offset, as: Double.self)
            offset &+= stride
        }
        return sum
    }

    @inline(__always)
    private func readFixed(_ record: UserRecord, _ clock: Int64, into row: UnsafeMutablePointer<Float>) {
        let reads = reader.fixed
        var i = 0
        while i < reader.fixedCount {
            let read = reads[i]
            i &+= 1
            let time = StoredTime(record.read(Int(read.time), as: UInt64.self))
            let result: Float
            switch read.kind {
            case .recency:
                result = time.isNever ? .nan : Float(Double(clock &- time.time) / 1_000)
            case .last:
                result = time.isNever ? .nan : Float(bitPattern: record.read(Int(read.value), as: UInt32.self))
            case .decayed:
                let value = Double(bitPattern: record.read(Int(read.value), as: UInt64.self))
                let decay =
                    time.isNever
                    ? 0 : Exponential.decay(elapsed: clock &- time.time, halfLife: read.halfLife)
                result = Float(value * decay)
            }
            row[Int(read.feature)] = result
        }
    }

    /// Defaults of what is read from events, then ratios, then their defaults.
    @inline(__always)
    private func finish(_ row: UnsafeMutablePointer<Float>) {
        var i = 0
        while i < reader.defaultCount {
            let place = reader.defaults[i]
            if row[Int(place.feature)].isNaN { row[Int(place.feature)] = place.value }
            i &+= 1
        }
        i = 0
        while i < reader.ratioCount {
            let ratio = reader.ratios[i]
            let denominator = row[Int(ratio.denominator)]
            row[Int(ratio.feature)] = denominator == 0 ? .nan : row[Int(ratio.numerator)] / denominator
            i &+= 1
        }
        i = 0
        while i < reader.ratioDefaultCount {
            let place = reader.ratioDefaults[i]
            if row[Int(place.feature)].isNaN { row[Int(place.feature)] = place.value }
            i &+= 1
        }
    }
}
