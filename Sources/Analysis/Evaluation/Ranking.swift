import Base

/// A row's place in the ranking, and what the curves need of it: `row << 3 │ last of its tie │ outcome │ treatment`.
struct RankedRow {
    var bits: UInt64

    var row: Int { Int(truncatingIfNeeded: bits >> 3) }
    /// Whether the next row's score is lower, or there is none: where a curve has a point.
    var isLastOfTie: Bool {
        get { bits & 4 != 0 }
        set { bits = newValue ? bits | 4 : bits & ~4 }
    }
    /// 1 for a binary outcome of 1, else 0.
    var response: Int { Int(truncatingIfNeeded: bits >> 1 & 1) }
    /// 1 treated, 0 control.
    var arm: Int { Int(truncatingIfNeeded: bits & 1) }
    var isTreated: Bool { bits & 1 != 0 }
}

/// The rows of a trial from the highest score to the lowest; equal scores in reverse input order.
///
/// That order of ties is scikit-uplift's (`argsort(kind="mergesort")[::-1]`), so that uplift@k and bins that cut through
/// a tie agree with it. Equal scores share one point of a curve. -0 and 0 are equal.
///
/// Memory: 8 bytes per row.
final class Ranking: @unchecked Sendable {  // immutable once built; the pointer is freed in deinit alone
    let rows: UnsafeMutablePointer<RankedRow>
    let count: Int

    /// Ranks `trial` by `score`, one entry a row (the trial's own, or the perfect model's).
    init(_ trial: Trial, by score: [Double], threads: Int) {
        count = trial.count
        rows = .allocate(capacity: max(count, 1))
        adviseHugePages(rows, bytes: count * MemoryLayout<RankedRow>.stride)
        let binary = trial.hasBinaryOutcome
        trial.treatment.withUnsafeBufferPointer { treatment in
            trial.outcome.withUnsafeBufferPointer { outcome in
                score.withUnsafeBufferPointer { score in
                    guard let score = score.baseAddress, let treatment = treatment.baseAddress else { return }
                    let columns = RankedColumns(
                        count: count, score: score, treatment: treatment, response: binary ? outcome.baseAddress : nil)
                    RadixSort(columns, threads: threads).sort(into: rows)
                }
            }
        }
    }

    deinit { rows.deallocate() }
}

/// The columns that a ranking is made of; pointers, because millions of rows are read by every thread.
struct RankedColumns {
    let count: Int
    let score: UnsafePointer<Double>
    let treatment: UnsafePointer<UInt8>
    /// nil when the outcome is not 0 or 1.
    let response: UnsafePointer<Double>?

    /// Maps a row's finite score to an integer such that a < b exactly when key(a) > key(b).
    @inline(__always)
    func key(_ row: Int) -> UInt64 {
        let bits = (score[row] + 0).bitPattern  // -0 + 0 is 0
        let negative = UInt64(bitPattern: Int64(bitPattern: bits) >> 63)
        return ~(bits ^ (negative | 1 << 63))
    }

    /// `RankedRow`'s outcome and treatment bits.
    @inline(__always)
    func flags(_ row: Int) -> UInt64 {
        (response.map { $0[row] != 0 ? 2 : 0 } ?? 0) | UInt64(treatment[row])
    }
}
