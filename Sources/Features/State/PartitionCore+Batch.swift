import CNumeric
import Events

/// Events in memory, as a partition's state takes them.
protocol EventSource {
    /// Values an event.
    var fieldCount: Int { get }
    func event(_ i: Int) -> UnsafePointer<Event>
    /// The id's UTF-8 bytes, good as long as the batch is.
    func user(_ i: Int) -> UnsafeRawBufferPointer
    /// A value for each field of the schema.
    func fields(_ i: Int) -> UnsafePointer<FieldValue>
}

extension EventRows: EventSource {}

/// The steps that run ahead of an event (see ``PartitionState/applyAll(_:_:_:)``). They change no state; a record that
/// moves before its event comes costs a wait, not a wrong result.
extension PartitionCore {
    /// Events between two steps. Event by event, not block by block: a processor has some ten fetches under way, and
    /// waits when it is asked for more.
    static let distance = 12
    /// Hashes and references kept on their way: a power of two above three distances.
    static let pipelineLength = 64

    /// Hashes the user of event `i` and asks for the entry in the table.
    @inline(__always)
    func hashAhead<Source: EventSource>(_ source: Source, _ i: Int) {
        let hash = self.hash(source.user(i))
        pipeline[i & (Self.pipelineLength &- 1)] = hash
        cnumeric_prefetch(table.home(hash))
    }

    /// Reads the entry of event `i` and asks for the first lines of the record.
    @inline(__always)
    func findAhead(_ i: Int) {
        let place = i & (Self.pipelineLength &- 1)
        let reference = table.probable(pipeline[place])
        references[place] = reference
        if reference == 0 { return }
        let address = arena.address(reference)
        cnumeric_prefetch(address)
        cnumeric_prefetch(address + 64)
    }

    /// Reads the size of the record of event `i` and asks for what follows the first lines, up to a kilobyte.
    @inline(__always)
    func fetchAhead(_ i: Int) {
        let reference = references[i & (Self.pipelineLength &- 1)]
        if reference == 0 { return }
        let record = record(reference)
        // A block that was released meanwhile still has its size, so this reads nothing but this arena.
        let end = min(record.used, 1_024)
        var offset = 128
        while offset < end {
            cnumeric_prefetch(record.address + offset)
            offset &+= 64
        }
    }

    /// Applies event `i`, whose hash is in the pipeline.
    @inline(__always)
    mutating func applyAhead<Source: EventSource>(_ source: Source, _ i: Int) -> UInt32 {
        let hash = pipeline[i & (Self.pipelineLength &- 1)]
        return apply(Arrival(source.event(i).pointee), source.fields(i), source.user(i), hash)
    }

    /// Asks for a record whose size is not known yet: its first lines.
    @inline(__always)
    func fetch(_ reference: UInt32) {
        guard reference != 0 else { return }
        let address = arena.address(reference)
        for line in 0..<6 { cnumeric_prefetch(address + 64 &* line) }
    }
}
