import Base
import Events
import Foundation
import Synchronization

/// A file in the state folder that says what each worker is handling: mapped, so that a note costs a few stores a batch
/// and outlives the process whatever ends it.
///
/// ```
///   page 0          magic, topics, crashed thread, count of suspects, suspects
///   page 1 + n      worker n: its thread, count of ranges, the ranges being handled
/// ```
/// Read and rewritten at each start. It guards against a message that ends the process, not against a power cut.
package final class PoisonNotes: @unchecked Sendable {
    // Unchecked: a worker writes only to its own page, the suspects are behind the mutex.

    private static let magic: UInt64 = 0x324E_5051_4949_5049
    private static let page = 4_096
    private static let crashOffset = 16
    private static let countOffset = 24
    private static let rangesOffset = 32
    private static let slotCapacity = (page - 16) / MemoryLayout<PoisonRange>.stride

    private let map: UnsafeMutableRawPointer
    private let bytes: Int
    private let suspects: Mutex<PoisonSuspects>
    private let hasSuspects: Atomic<Bool>

    /// Opens the notes of this process and learns from what its predecessor left.
    ///
    /// - Throws: `state_dir_unwritable`.
    package init(path: String, workers: Int, topics: [String]) throws(ImpactError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            throw Self.unwritable(path)
        }
        defer { close(descriptor) }
        // Pages of a run with more workers are read as well.
        let bytes = max(Int(status.st_size) / Self.page, workers + 1) * Self.page
        guard ftruncate(descriptor, off_t(bytes)) == 0,
            let map = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), map != MAP_FAILED
        else { throw Self.unwritable(path) }
        self.map = map
        self.bytes = bytes
        let topic = StableHash.hash(topics.joined(separator: ","))
        let isOurs = map.load(as: UInt64.self) == Self.magic && map.load(fromByteOffset: 8, as: UInt64.self) == topic
        let found = isOurs ? Self.read(map, bytes) : PoisonSuspects(known: [], noted: [])
        suspects = Mutex(found)
        hasSuspects = Atomic(!found.isEmpty)
        // First what was learnt, then the pages it was learnt from: to learn it twice changes nothing.
        if isOurs { Self.write(found, to: map) } else { memset(map, 0, bytes) }
        map.storeBytes(of: Self.magic, as: UInt64.self)
        map.storeBytes(of: topic, toByteOffset: 8, as: UInt64.self)
        memset(map + Self.page, 0, bytes - Self.page)
        map.storeBytes(of: 0, toByteOffset: Self.crashOffset, as: UInt.self)
    }

    private static func unwritable(_ path: String) -> ImpactError {
        ImpactError(
            .failed, code: "state_dir_unwritable", "cannot write \(path): \(String(cString: strerror(errno)))")
    }

    deinit {
        CrashMark.remove(crashPlace)
        munmap(map, bytes)
    }

    /// Where a crash leaves its thread's number.
    package var crashPlace: UnsafeMutableRawPointer { map + Self.crashOffset }

    /// Whether any message must be handled alone.
    package var isAlert: Bool { hasSuspects.load(ordering: .relaxed) }

    package func suspect(_ topic: Int32, _ partition: Int32, _ offset: Int64) -> PoisonRange? {
        suspects.withLock { $0.suspect(topic, partition, offset) }
    }

    /// All offsets before this one are committed.
    package func passed(_ topic: Int32, _ partition: Int32, committed offset: Int64) {
        suspects.withLock { suspects in
            guard suspects.passed(topic, partition, committed: offset) else { return }
            Self.write(suspects, to: map)
            hasSuspects.store(!suspects.isEmpty, ordering: .relaxed)
        }
    }

    package var all: [PoisonRange] { suspects.withLock { $0.ranges } }

    /// The page of a worker; call on its thread.
    package func slot(worker number: Int) -> PoisonSlot {
        let start = map + Self.page * (number + 1)
        start.storeBytes(of: UInt(pthread_self()), as: UInt.self)
        return PoisonSlot(
            count: (start + 8).assumingMemoryBound(to: Atomic<Int>.self),
            ranges: (start + 16).bindMemory(to: PoisonRange.self, capacity: Self.slotCapacity),
            capacity: Self.slotCapacity, notes: self)
    }

    private static func read(_ map: UnsafeMutableRawPointer, _ bytes: Int) -> PoisonSuspects {
        let crashed = map.load(fromByteOffset: crashOffset, as: UInt.self)
        let count = min(max(0, map.load(fromByteOffset: countOffset, as: Int.self)), PoisonSuspects.limit)
        let known = (0..<count).map { range(map + rangesOffset, $0) }
        var noted: [(range: PoisonRange, isCrash: Bool)] = []
        for start in stride(from: page, to: bytes, by: page) {
            let isCrash = crashed != 0 && (map + start).load(as: UInt.self) == crashed
            let count = min(max(0, (map + start + 8).load(as: Int.self)), slotCapacity)
            for i in 0..<count { noted.append((range(map + start + 16, i), isCrash)) }
        }
        return PoisonSuspects(known: known, noted: noted)
    }

    private static func range(_ start: UnsafeMutableRawPointer, _ index: Int) -> PoisonRange {
        start.load(fromByteOffset: index * MemoryLayout<PoisonRange>.stride, as: PoisonRange.self)
    }

    private static func write(_ suspects: PoisonSuspects, to map: UnsafeMutableRawPointer) {
        for (i, range) in suspects.ranges.enumerated() {
            map.storeBytes(
                of: range, toByteOffset: rangesOffset + i * MemoryLayout<PoisonRange>.stride, as: PoisonRange.self)
        }
        map.storeBytes(of: suspects.ranges.count, toByteOffset: countOffset, as: Int.self)
    }
}

/// One worker's page: the ranges of the batch that it is handling. Belongs to the worker's thread.
package final class PoisonSlot {
    private let count: UnsafeMutablePointer<Atomic<Int>>
    private let ranges: UnsafeMutablePointer<PoisonRange>
    private let capacity: Int
    /// Keeps the mapping alive.
    private let notes: PoisonNotes

    package init(
        count: UnsafeMutablePointer<Atomic<Int>>, ranges: UnsafeMutablePointer<PoisonRange>, capacity: Int,
        notes: PoisonNotes
    ) {
        self.count = count
        self.ranges = ranges
        self.capacity = capacity
        self.notes = notes
    }

    /// From here on, messages of this partition are handled. Once a run of messages, not once a message.
    package func note(_ topic: Int32, _ partition: Int32, from first: Int64, through last: Int64, deaths: Int32 = 0) {
        let used = count.pointee.load(ordering: .relaxed)
        for i in 0..<used where ranges[i].isOf(topic, partition) {
            ranges[i].last = max(ranges[i].last, last)
            return
        }
        // With more partitions in one batch than the page holds, the others go without a note.
        guard used < capacity else { return }
        ranges[used] = PoisonRange(topic: topic, partition: partition, deaths: deaths, first: first, last: last)
        // Releasing: the range is there before it counts.
        count.pointee.store(used + 1, ordering: .releasing)
    }

    /// Nothing is being handled.
    package func clear() { count.pointee.store(0, ordering: .releasing) }
}
