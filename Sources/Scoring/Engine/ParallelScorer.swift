import Base
import Foundation
import Synchronization

/// Scores large batches with several threads. The order of the rows is kept, and the results are those of one thread.
///
/// One call at a time; the threads are the process's own dispatch pool.
package final class ParallelScorer {
    package let model: Model
    package let threads: Int
    private let scorers: Scorers
    private var refused: [Int32] = []

    /// Rows that a thread takes at a time: few, since a thread of the pool wakes up late.
    private static let chunk = 256

    /// - Parameter threads: nil for one per processor.
    package init(model: Model, threads: Int? = nil, kernel: Kernel = .best) {
        self.model = model
        self.threads = max(1, threads ?? ProcessInfo.processInfo.activeProcessorCount)
        scorers = Scorers((0..<self.threads).map { _ in Scorer(model: model, maxRows: Self.chunk, kernel: kernel) })
    }

    /// Scores `count` rows, as `Scorer.score` does, any number of them.
    ///
    /// - Returns: the count of rows that have no estimate (`refusedFeature`), whose effects are NaN.
    @discardableResult
    package func score(
        rows: UnsafePointer<Float>, stride: Int, count: Int, into estimates: UnsafeMutablePointer<Estimate>,
        standardErrors: Bool = true
    ) -> Int {
        if refused.count != count { refused = [Int32](repeating: -1, count: count) }
        let chunks = (count + Self.chunk - 1) / Self.chunk
        let refusals = Atomic(0)
        let effects = model.effectCount
        refused.withUnsafeMutableBufferPointer { refused in
            // Each chunk is one thread's own: no two write the same element.
            nonisolated(unsafe) let (rows, estimates, refused) = (rows, estimates, refused)
            let scorers = scorers
            Parallel.forEach(chunks, threads: threads) { chunk, thread in
                let scorer = scorers.all[thread]
                let start = chunk * Self.chunk
                let size = min(Self.chunk, count - start)
                let found = scorer.score(
                    rows: rows + start * stride, stride: stride, count: size, into: estimates + start * effects,
                    standardErrors: standardErrors)
                refusals.add(found, ordering: .relaxed)
                for row in 0..<size {
                    refused[start + row] = found == 0 ? -1 : Int32(scorer.refusedFeature(row: row) ?? -1)
                }
            }
        }
        return refusals.load(ordering: .relaxed)
    }

    /// The feature whose missing or infinite value left a row of the last call without an estimate; nil when it has one.
    package func refusedFeature(row: Int) -> Int? { refused[row] < 0 ? nil : Int(refused[row]) }

    private struct Scorers: @unchecked Sendable {  // thread i uses scorer i alone
        let all: [Scorer]
        init(_ all: [Scorer]) { self.all = all }
    }
}
