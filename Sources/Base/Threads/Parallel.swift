import Dispatch
import Foundation

/// Work in a fixed number of parts on that many threads. Results never depend on the number of threads: each part
/// writes to a place of its own, and parts are combined in order.
public enum Parallel {
    public static var processors: Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }

    /// Runs `body` for each of `0 ..< parts` and returns when all are done.
    public static func forEach(_ parts: Int, threads: Int, _ body: (Int) -> Void) {
        forEach(parts, threads: threads) { part, _ in body(part) }
    }

    /// The same, with the number of the thread (below `threads`), for what each thread has one of.
    public static func forEach(_ parts: Int, threads: Int, _ body: (_ part: Int, _ thread: Int) -> Void) {
        guard threads > 1 && parts > 1 else {
            for part in 0..<parts { body(part, 0) }
            return
        }
        let next = SharedCounter()
        withoutActuallyEscaping(body) { body in
            // Shared between threads that all end before this returns; parts write to disjoint places.
            nonisolated(unsafe) let body = body
            DispatchQueue.concurrentPerform(iterations: min(threads, parts)) { thread in
                while true {
                    let part = next.take()
                    guard part < parts else { return }
                    body(part, thread)
                }
            }
        }
    }

    /// The sum of `part` over ranges that make up `0 ..< count`; all processors work when it is large.
    public static func sum(_ count: Int, _ part: (Range<Int>) -> Int) -> Int {
        let slices = count > 1 << 16 ? processors : 1
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: slices) { sums in
            forEach(slices, threads: slices) { sums[$0] = part(slice($0, of: slices, count: count)) }
            return sums.reduce(0, +)
        }
    }

    /// The half-open range of the `part`th of `parts` nearly equal slices of `0 ..< count`.
    public static func slice(_ part: Int, of parts: Int, count: Int) -> Range<Int> {
        (count * part / parts)..<(count * (part + 1) / parts)
    }
}
