/// A row's place in the ranking: a key that ascends as the score descends, and what the curves need of the row.
struct RankedRow {
    /// `Ranking.key(score)`.
    var key: UInt64
    /// The row's index shifted left by 2, its outcome bit (1 for a binary outcome of 1) and its treatment bit.
    var payload: UInt64

    var row: Int { Int(truncatingIfNeeded: payload >> 2) }
    var isTreated: Bool { payload & 1 != 0 }
}

/// The rows of a trial from the highest score to the lowest; equal scores in reverse input order.
///
/// That order of ties is scikit-uplift's (`argsort(kind="mergesort")[::-1]`), so that uplift@k and bins that cut through
/// a tie agree with it. Equal scores share one point of a curve. -0 and 0 are equal.
///
/// Memory: 16 bytes a row, and while sorting at most as much again.
final class Ranking: @unchecked Sendable {  // immutable once built; the pointer is freed in deinit alone
    let rows: UnsafeMutablePointer<RankedRow>
    let count: Int

    /// Ranks `trial` by `score`, one entry a row (the trial's own, or the perfect model's).
    init(_ trial: Trial, by score: [Double], threads: Int) {
        count = trial.count
        rows = RadixSort.allocate(trial.count)
        let binary = trial.hasBinaryOutcome
        trial.treatment.withUnsafeBufferPointer { treatment in
            trial.outcome.withUnsafeBufferPointer { outcome in
                score.withUnsafeBufferPointer { score in
                    RadixSort.sort(count, into: rows, threads: threads, key: { Ranking.key(score[$0]) }) { row in
                        let responded = binary && outcome[row] != 0
                        return RankedRow(
                            key: Ranking.key(score[row]),
                            payload: UInt64(row) << 2 | (responded ? 2 : 0) | UInt64(treatment[row]))
                    }
                }
            }
        }
    }

    deinit { rows.deallocate() }

    /// Maps a finite score to an integer such that a < b exactly when key(a) > key(b).
    @inline(__always)
    static func key(_ score: Double) -> UInt64 {
        let bits = (score + 0).bitPattern  // -0 + 0 is 0
        let negative = UInt64(bitPattern: Int64(bitPattern: bits) >> 63)
        return ~(bits ^ (negative | 1 << 63))
    }
}
