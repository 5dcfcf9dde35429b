import Foundation
import Synchronization

/// The open connections, and until when the request on each must have arrived.
///
/// libmicrohttpd's own timeout begins anew with every byte, so a client that sends one byte at a time could hold a
/// connection for ever (slow loris). This one does not: a connection past its deadline is shut down.
final class ConnectionWatch: Sendable {
    /// One connection; the server keeps it as the socket's context.
    final class Entry: Sendable {
        let descriptor: Int32
        /// Seconds of the monotonic clock; `Int.max` while an answer is being given.
        let deadline: Atomic<Int>
        /// Whether it was shut down for being past its deadline.
        let wasSlow = Atomic<Bool>(false)

        init(descriptor: Int32, deadline: Int) {
            self.descriptor = descriptor
            self.deadline = Atomic(deadline)
        }
    }

    private let entries = Mutex<[ObjectIdentifier: Entry]>([:])

    /// Connections open now.
    var count: Int { entries.withLock { $0.count } }

    static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return time.tv_sec
    }

    func add(descriptor: Int32, seconds: Int) -> Entry {
        let entry = Entry(descriptor: descriptor, deadline: Self.now() + seconds)
        entries.withLock { $0[ObjectIdentifier(entry)] = entry }
        return entry
    }

    func remove(_ entry: Entry) { _ = entries.withLock { $0.removeValue(forKey: ObjectIdentifier(entry)) } }

    /// Shuts down what is past its deadline. Under the lock, so that the descriptor is still the connection's.
    /// Returns how many.
    func sweep() -> Int {
        let now = Self.now()
        return entries.withLock { entries in
            var count = 0
            for entry in entries.values where entry.deadline.load(ordering: .relaxed) < now {
                entry.deadline.store(.max, ordering: .relaxed)
                entry.wasSlow.store(true, ordering: .relaxed)
                shutdown(entry.descriptor, Int32(SHUT_RDWR))
                count += 1
            }
            return count
        }
    }

    /// Shuts every connection down; the server's threads then close them.
    func closeAll() {
        entries.withLock { entries in
            for entry in entries.values { shutdown(entry.descriptor, Int32(SHUT_RDWR)) }
        }
    }
}
