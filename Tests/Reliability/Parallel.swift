import Foundation
import Synchronization

/// Runs `body` for each element, so many at a time, and returns the results in their order.
package func inParallel<Element: Sendable, Result: Sendable>(
    _ elements: [Element], width: Int, _ body: @escaping @Sendable (Element) -> Result
) -> [Result] {
    let work = Work<Result>()
    let group = DispatchGroup()
    for _ in 0..<min(width, elements.count) {
        group.enter()
        Thread.detachNewThread {
            while true {
                let i = work.next.wrappingAdd(1, ordering: .relaxed).oldValue
                if i >= elements.count { break }
                let result = body(elements[i])
                work.results.withLock { $0[i] = result }
            }
            group.leave()
        }
    }
    group.wait()
    return work.results.withLock { found in elements.indices.compactMap { found[$0] } }
}

private final class Work<Result: Sendable>: Sendable {
    let next = Atomic<Int>(0)
    let results = Mutex<[Int: Result]>([:])
}
