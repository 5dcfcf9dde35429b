import CNumeric
import Events

/// Events in memory, as a partition's state takes them.
public protocol EventSource {
    func event(_ i: Int) -> Event
    /// The id's UTF-8 bytes, good as long as the batch is.
    func user(_ i: Int) -> UnsafeRawBufferPointer
    /// A value for each field of the schema.
    func fields(_ i: Int) -> UnsafeBufferPointer<FieldValue>
}

extension PartitionCore {
    /// Events between two steps of the pipeline below.
    static let distance = 12
    /// Hashes kept on their way through it: a power of two above three distances.
    static let pipelineLength = 64

    /// The steps that run ahead of event `i` (see ``PartitionState/apply(_:_:_:)``). They change no state; a record
    /// that moves before its event comes costs a wait, not a wrong result.
    @inline(__always)
    func lookAhead<Source: EventSource>(_ source: Source, _ range: Range<Int>, _ i: Int) {
        let mask = Self.pipelineLength &- 1
        let first = i &+ 3 &* Self.distance
        if first < range.upperBound {
            let hash = self.hash(source.user(first))
            pipeline[first & mask] = hash
            cnumeric_prefetch(table.home(hash))
        }
        let second = i &+ 2 &* Self.distance
        if second >= range.lowerBound, second < range.upperBound {
            let reference = table.probable(pipeline[second & mask])
            references[second & mask] = reference
            if reference != 0 {
                let address = arena.address(reference)
                cnumeric_prefetch(address)
                cnumeric_prefetch(address + 64)
            }
        }
        let third = i &+ Self.distance
        if third >= range.lowerBound, third < range.upperBound {
            let reference = references[third & mask]
            if reference != 0 { prefetchRest(record(reference)) }
        }
    }

    /// Applies event `i`, whose hash is in the pipeline.
    @inline(__always)
    mutating func applyAhead<Source: EventSource>(_ source: Source, _ i: Int, _ fieldCount: Int) -> UInt32 {
        let hash = pipeline[i & (Self.pipelineLength &- 1)]
        let fields = source.fields(i)
        precondition(fields.count >= fieldCount, "an event has a value for each field of the schema")
        return apply(Arrival(source.event(i)), fields.baseAddress ?? noFields, source.user(i), hash)
    }

    /// Asks for a record whose size is not known yet: its first lines.
    @inline(__always)
    func fetch(_ reference: UInt32) {
        guard reference != 0 else { return }
        let address = arena.address(reference)
        for line in 0..<6 { cnumeric_prefetch(address + 64 &* line) }
    }

    /// Asks for what follows the first two lines, up to a kilobyte.
    @inline(__always)
    private func prefetchRest(_ record: UserRecord) {
        // A block that was released meanwhile still has its size, so this reads nothing but this arena.
        let end = min(record.used, 1_024)
        var offset = 128
        while offset < end {
            cnumeric_prefetch(record.address + offset)
            offset &+= 64
        }
    }
}
