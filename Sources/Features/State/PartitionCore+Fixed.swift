import Events

/// The fixed part of a record: times, newest values, decayed sums.
extension PartitionCore {
    /// Keeps the fields' newest values.
    ///
    /// - Parameter isLatest: whether no event of the user is later than this one; then no stored time is.
    @inline(__always)
    func applyLasts(
        _ type: Int, _ fields: UnsafePointer<FieldValue>, _ time: Int64, isLatest: Bool, _ record: UserRecord
    ) {
        let stored = StoredTime(time)
        var i = Int(lastNumbers.start[type])
        var end = Int(lastNumbers.start[type &+ 1])
        while i < end {
            let last = lastNumbers.operations[i]
            i &+= 1
            let value = fields[Int(last.field)]
            let number = value.kind == .number ? Double(bitPattern: value.payload) : value.number
            if number.isFinite { keep(Float(number), last.place, stored, isLatest: isLatest, record) }
        }
        i = Int(lastIndicators.start[type])
        end = Int(lastIndicators.start[type &+ 1])
        while i < end {
            let last = lastIndicators.operations[i]
            i &+= 1
            let value = fields[last.test.field]
            if value.kind != .missing {
                keep(last.test.passes(value) ? 1 : 0, last.place, stored, isLatest: isLatest, record)
            }
        }
    }

    /// Of two values of one time, the one that arrives later counts.
    @inline(__always)
    private func keep(
        _ value: Float, _ place: FeatureProgram.LastPlace, _ stored: StoredTime, isLatest: Bool,
        _ record: UserRecord
    ) {
        guard isLatest || record.read(Int(place.time), as: UInt64.self) <= stored.bits else { return }
        record.write(Int(place.time), stored.bits)
        record.write(Int(place.value), value.bitPattern)
    }

    @inline(__always)
    func applyFixed(_ type: Int, _ time: Int64, _ record: UserRecord) {
        var i = Int(fixedTable.start[type])
        let end = Int(fixedTable.start[type &+ 1])
        while i < end {
            let operation = fixedTable.operations[i]
            i &+= 1
            let number = selected[Int(operation.selection)]
            if number.isNaN { continue }
            let stored = StoredTime(record.read(Int(operation.time), as: UInt64.self))
            switch operation.kind {
            case .recency:
                if stored.isBefore(time) { record.write(Int(operation.time), StoredTime(time).bits) }
            case .last:
                let place = FeatureProgram.LastPlace(time: operation.time, value: operation.value)
                keep(Float(number), place, StoredTime(time), isLatest: false, record)
            case .decayed:
                let value = Double(bitPattern: record.read(Int(operation.value), as: UInt64.self))
                let sum: Double
                if stored.isNever {
                    sum = number
                    record.write(Int(operation.time), StoredTime(time).bits)
                } else if stored.isBefore(time) {
                    let elapsed = time &- stored.time
                    sum = value * Exponential.decay(elapsed: elapsed, halfLife: operation.halfLife) + number
                    record.write(Int(operation.time), StoredTime(time).bits)
                } else {
                    let elapsed = stored.time &- time
                    sum = value + number * Exponential.decay(elapsed: elapsed, halfLife: operation.halfLife)
                }
                record.write(Int(operation.value), sum.bitPattern)
            }
        }
    }
}

/// A time in a record: 0 means never, so that what never happened is zero bytes.
struct StoredTime {
    let bits: UInt64

    @inline(__always) init(_ bits: UInt64) { self.bits = bits }
    @inline(__always) init(_ time: Int64) { bits = UInt64(bitPattern: time) ^ 1 << 63 }

    @inline(__always) var isNever: Bool { bits == 0 }
    @inline(__always) var time: Int64 { Int64(bitPattern: bits ^ 1 << 63) }
    /// Whether the stored time is never, or earlier. The order of the bits is the order of the times.
    @inline(__always) func isBefore(_ time: Int64) -> Bool { bits < StoredTime(time).bits }
}
