import CNumeric

/// Memory of the records of one partition: blocks of 32-byte units in chunks of 2 MiB, filled from front to back.
/// Chunks are large pages where the kernel has them, since records are read at random.
///
/// A chunk is never reallocated, so growth moves nothing. A released block is given again to the next record of its very
/// size, which is soon, since records grow through the same sizes; and it is still in the processor's caches. Sizes
/// that nobody wants any more stay dead: when they make up a sixth of the memory, the emptiest chunk is evacuated and
/// starts anew (``PartitionCore/makeRoom()``), a bounded piece of work a chunk. A reference is the number of a block's
/// first unit; unit 0 is never given, so 0 means none.
struct RecordArena {
    static let unit = 32
    static let chunkUnits = 65_536
    static let chunkBytes = unit * chunkUnits

    private(set) var chunkCount = 0
    private var chunkCapacity = 64
    private let noChunk = UInt32.max
    /// Chunks, live bytes in each, and bytes handed out in each.
    private var chunks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private var live: UnsafeMutablePointer<Int>
    private var filled: UnsafeMutablePointer<Int>
    /// Chunks that were evacuated and are empty.
    private var spare: [Int] = []
    private(set) var current = -1
    /// Bytes of live blocks, over all chunks.
    private(set) var liveBytes = 0
    /// Blocks of so many units are given again; there are few larger ones.
    private static let reusedUnits = 128
    /// For each count of units the block released last, 0 for none. The others follow through ``RecordLayout/nextReleased``.
    private let released: UnsafeMutablePointer<UInt32>

    init() {
        released = .allocate(capacity: Self.reusedUnits + 1)
        released.initialize(repeating: 0, count: Self.reusedUnits + 1)
        chunks = .allocate(capacity: chunkCapacity)
        live = .allocate(capacity: chunkCapacity)
        filled = .allocate(capacity: chunkCapacity)
    }

    func deallocate() {
        for i in 0..<chunkCount { chunks[i].deallocate() }
        chunks.deallocate()
        live.deallocate()
        filled.deallocate()
        released.deallocate()
    }

    /// Bytes of memory held.
    var bytes: Int { chunkCount * Self.chunkBytes }

    @inline(__always)
    func address(_ reference: UInt32) -> UnsafeMutableRawPointer {
        chunks[Int(reference >> 16)] + Int(reference & 65_535) &* Self.unit
    }

    /// The released block of this size that was released last; nil when there is none. `bytes` is a multiple of ``unit``.
    @inline(__always)
    mutating func takeReleased(_ bytes: Int) -> UInt32? {
        let units = bytes / Self.unit
        guard units <= Self.reusedUnits else { return nil }
        let reference = released[units]
        guard reference != 0 else { return nil }
        unlink(reference, units)
        live[Int(reference >> 16)] &+= bytes
        liveBytes &+= bytes
        return reference
    }

    /// Whether the current chunk has room for a block.
    @inline(__always)
    func hasRoom(_ bytes: Int) -> Bool { current >= 0 && filled[current] &+ bytes <= Self.chunkBytes }

    /// The next block of the current chunk. `bytes` is a multiple of ``unit`` for which ``hasRoom(_:)`` holds.
    @inline(__always)
    mutating func take(_ bytes: Int) -> UInt32 {
        let start = filled[current]
        filled[current] = start &+ bytes
        live[current] &+= bytes
        liveBytes &+= bytes
        return UInt32(truncatingIfNeeded: current &* Self.chunkUnits &+ start / Self.unit)
    }

    /// Gives a block back.
    ///
    /// - Parameter isReusable: false while its chunk is evacuated.
    @inline(__always)
    mutating func release(_ reference: UInt32, bytes: Int, isReusable: Bool = true) {
        live[Int(reference >> 16)] &-= bytes
        liveBytes &-= bytes
        UserRecord(address: address(reference)).write(RecordLayout.epoch, UInt32(0))
        if isReusable, bytes / Self.unit <= Self.reusedUnits { link(reference, bytes / Self.unit) }
    }

    /// Puts a block before the others of its size.
    @inline(__always)
    private func link(_ reference: UInt32, _ units: Int) {
        let block = UserRecord(address: address(reference))
        let next = released[units]
        block.write(RecordLayout.nextReleased, next)
        block.write(RecordLayout.previousReleased, UInt32(0))
        if next != 0 { UserRecord(address: address(next)).write(RecordLayout.previousReleased, reference) }
        released[units] = reference
    }

    /// Takes a block out from among the others of its size.
    @inline(__always)
    private func unlink(_ reference: UInt32, _ units: Int) {
        let block = UserRecord(address: address(reference))
        let next = block.read(RecordLayout.nextReleased, as: UInt32.self)
        let previous = block.read(RecordLayout.previousReleased, as: UInt32.self)
        if previous == 0 {
            released[units] = next
        } else {
            UserRecord(address: address(previous)).write(RecordLayout.nextReleased, next)
        }
        if next != 0 { UserRecord(address: address(next)).write(RecordLayout.previousReleased, previous) }
    }

    /// Begins to fill another chunk: an evacuated one, or a new one.
    mutating func startChunk() {
        if let chunk = spare.popLast() {
            current = chunk
        } else {
            if chunkCount == chunkCapacity { growDirectory() }
            let chunk = UnsafeMutableRawPointer.allocate(byteCount: Self.chunkBytes, alignment: Self.chunkBytes)
            cnumeric_advise_large_pages(chunk, Self.chunkBytes)
            chunks[chunkCount] = chunk
            current = chunkCount
            chunkCount += 1
        }
        live[current] = 0
        filled[current] = current == 0 ? Self.unit : 0
    }

    /// The chunk worth evacuating: the one with the fewest live bytes, once a sixth of what was handed out is dead.
    func victim() -> Int? {
        var best = -1
        var handedOut = 0
        for i in 0..<chunkCount where filled[i] > 0 {
            handedOut += filled[i]
            if i != current, best < 0 || live[i] < live[best] { best = i }
        }
        guard best >= 0, (handedOut - liveBytes) * 6 > handedOut else { return nil }
        return best
    }

    /// Lets none of a chunk's released blocks be given again: the chunk is about to be evacuated.
    func withdrawReleased(in chunk: Int) {
        var offset = 0
        while let reference = next(in: chunk, from: &offset, isLive: false) {
            let units = UserRecord(address: address(reference)).capacity / Self.unit
            if units <= Self.reusedUnits { unlink(reference, units) }
        }
    }

    /// The next live, or released, block of a chunk from a byte offset on, which moves behind it; nil at the chunk's end.
    func next(in chunk: Int, from offset: inout Int, isLive: Bool) -> UInt32? {
        if chunk == 0, offset == 0 { offset = Self.unit }
        while offset < filled[chunk] {
            let record = UserRecord(address: chunks[chunk] + offset)
            let start = offset
            offset += record.capacity
            if record.isLive == isLive { return UInt32(chunk * Self.chunkUnits + start / Self.unit) }
        }
        return nil
    }

    /// Marks an evacuated chunk as empty.
    mutating func recycle(_ chunk: Int) {
        filled[chunk] = 0
        spare.append(chunk)
    }

    private mutating func growDirectory() {
        func doubled<T: BitwiseCopyable>(_ old: UnsafeMutablePointer<T>) -> UnsafeMutablePointer<T> {
            let new = UnsafeMutablePointer<T>.allocate(capacity: chunkCapacity * 2)
            new.update(from: old, count: chunkCount)
            old.deallocate()
            return new
        }
        chunks = doubled(chunks)
        live = doubled(live)
        filled = doubled(filled)
        chunkCapacity *= 2
    }
}
