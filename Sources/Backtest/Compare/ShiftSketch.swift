import Base
import Foundation

/// The distribution of effect shifts in bounded memory: counts in buckets whose bounds grow by 2 %, for each sign
/// (Masson, Rim and Lee 2019, DDSketch). Quantiles are right within 1 %; equal streams give equal sketches in any order.
package struct ShiftSketch: Sendable, Equatable, Codable {
    private static let growth = log(1.02)
    /// Shifts below this count as none.
    private static let least = 1e-12
    private static let buckets = 2_791
    private var negative: [Int: Int] = [:]
    private var positive: [Int: Int] = [:]
    /// Shifts of exactly nothing, and those too small to matter.
    package private(set) var none = 0
    package private(set) var count = 0
    private var sum = 0.0
    private var squares = 0.0
    package private(set) var largest = 0.0

    package init() {}

    package var mean: Double { count > 0 ? sum / Double(count) : 0 }
    /// The root of the mean square.
    package var size: Double { count > 0 ? (squares / Double(count)).squareRoot() : 0 }

    var isPlausible: Bool {
        [negative, positive].allSatisfy { side in
            side.keys.allSatisfy { (0...Self.buckets).contains($0) } && PlausibleCount.holds(side.values)
        } && PlausibleCount.holds(none, count) && [sum, squares, largest].allSatisfy(\.isFinite)
    }

    package mutating func add(_ shift: Double) {
        count += 1
        sum += shift
        squares += shift * shift
        let size = abs(shift)
        if size > abs(largest) { largest = shift }
        guard size > Self.least else {
            none += 1
            return
        }
        let bucket = min(Self.buckets, Int(saturating: (log(size / Self.least) / Self.growth).rounded(.up)))
        if shift < 0 { negative[bucket, default: 0] += 1 } else { positive[bucket, default: 0] += 1 }
    }

    /// Scores that did not shift at all.
    package mutating func addUnchanged(_ count: Int) {
        self.count += count
        none += count
    }

    package mutating func add(_ other: ShiftSketch) {
        negative.merge(other.negative, uniquingKeysWith: +)
        positive.merge(other.positive, uniquingKeysWith: +)
        none += other.none
        count += other.count
        sum += other.sum
        squares += other.squares
        if abs(other.largest) > abs(largest) { largest = other.largest }
    }

    /// Values and counts, ascending.
    package var points: [(value: Double, count: Int)] {
        func value(_ bucket: Int) -> Double { Self.least * exp((Double(bucket) - 0.5) * Self.growth) }
        var points = negative.sorted { $0.key > $1.key }.map { (value: -value($0.key), count: $0.value) }
        if none > 0 { points.append((0, none)) }
        points += positive.sorted { $0.key < $1.key }.map { (value($0.key), $0.value) }
        return points
    }

    /// The value below which the share q of the shifts lies; nil of an empty sketch.
    package func quantile(_ q: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = q * Double(count - 1)
        var below = 0
        for point in points {
            below += point.count
            if Double(below) > rank { return point.value }
        }
        return points.last?.value
    }
}
