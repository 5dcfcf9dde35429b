import Statistics

/// What a set of channels is worth to the Shapley value.
package enum ShapleyWorth: String, Sendable, CaseIterable {
    /// The conversions of journeys that only used channels of the set.
    case conversions
    /// The share of such journeys that converted; needs journeys without a conversion.
    case rate
}

/// The Shapley value over the sets of channels that journeys used (Shapley 1953).
///
/// With `conversions` as the worth the game is a sum of unanimity games, so that the value is known in closed form for any
/// number of channels: each conversion is divided equally among the distinct channels of its journey. With `rate` it is
/// computed from all sets of up to 15 channels, and above that from sampled permutations with a stated error.
package final class ShapleyFitter: ModelFitter {
    package static let exactChannels = 15
    private let worth: ShapleyWorth
    private let permutations: Int
    private let seed: UInt64
    private var sets: [[Int32]: (conversions: Double, nulls: Double)] = [:]

    package init(worth: ShapleyWorth = .conversions, permutations: Int = 2_000, seed: UInt64 = 1) {
        self.worth = worth
        self.permutations = permutations
        self.seed = seed
    }

    package func add(_ touches: [Touch], conversion: Int64?, conversions: Double, nulls: Double) {
        add(Array(Set(touches.lazy.map(\.channel))).sorted(), conversions: conversions, nulls: nulls)
    }

    /// - Parameter set: distinct channels in ascending order.
    package func add(_ set: [Int32], conversions: Double, nulls: Double) {
        guard !set.isEmpty else { return }
        sets[set, default: (0, 0)].conversions += conversions
        sets[set, default: (0, 0)].nulls += nulls
    }

    package func finish(channels: Int) -> any FittedModel {
        let total = sets.values.reduce(0) { $0 + $1.conversions }
        if worth == .conversions {
            return ShapleyModel(values: nil, errors: nil, channelTotals: closedForm(channels), sampled: nil)
        }
        // Only the channels that journeys use take part.
        let used = Array(Set(sets.keys.joined())).sorted()
        let places = Dictionary(uniqueKeysWithValues: used.enumerated().map { ($1, Int32($0)) })
        let game = ordered().map { set, count in (set.compactMap { places[$0] }, count) }
        let isExact = used.count <= Self.exactChannels
        let (compact, compactErrors) = isExact ? (exact(game, used.count), nil) : sampled(game, used.count)
        let values = spread(compact, used, channels)
        let errors = compactErrors.map { spread($0, used, channels) }
        // Rates have no unit of their own: the channels' shares of the total, as for every model.
        let positive = values.reduce(0) { $0 + max($1, 0) }
        let scale = positive > 0 ? total / positive : 0
        return ShapleyModel(
            values: values.map { max($0, 0) }, errors: errors?.map { $0 * scale },
            channelTotals: values.map { max($0, 0) * scale }, sampled: isExact ? nil : permutations)
    }

    private func spread(_ values: [Double], _ used: [Int32], _ channels: Int) -> [Double] {
        var all = [Double](repeating: 0, count: channels)
        for (value, channel) in zip(values, used) { all[Int(channel)] = value }
        return all
    }

    private func closedForm(_ channels: Int) -> [Double] {
        var totals = [Double](repeating: 0, count: channels)
        for (set, count) in ordered() {
            for channel in set { totals[Int(channel)] += count.conversions / Double(set.count) }
        }
        return totals
    }

    /// In an order that does not depend on that of the input, so that rounding does not either.
    private func ordered() -> [([Int32], (conversions: Double, nulls: Double))] {
        sets.map { ($0.key, $0.value) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
    }

    private typealias Game = [([Int32], (conversions: Double, nulls: Double))]

    private func exact(_ game: Game, _ channels: Int) -> [Double] {
        let size = 1 << channels
        var conversions = [Double](repeating: 0, count: size)
        var nulls = [Double](repeating: 0, count: size)
        for (set, count) in game {
            let mask = set.reduce(0) { $0 | 1 << Int($1) }
            conversions[mask] += count.conversions
            nulls[mask] += count.nulls
        }
        // Sums over subsets, one channel after another (Yates 1937).
        for channel in 0..<channels {
            for mask in 0..<size where mask & (1 << channel) != 0 {
                conversions[mask] += conversions[mask ^ (1 << channel)]
                nulls[mask] += nulls[mask ^ (1 << channel)]
            }
        }
        var weight = [Double](repeating: 0, count: max(channels, 1))
        // |S|! (n − |S| − 1)! / n! without factorials.
        var value = 1 / Double(max(channels, 1))
        for count in 0..<channels {
            weight[count] = value
            if count + 1 < channels { value *= Double(count + 1) / Double(channels - count - 1) }
        }
        var result = [Double](repeating: 0, count: channels)
        for mask in 0..<size {
            let low = Self.rate(conversions[mask], nulls[mask])
            for channel in 0..<channels where mask & (1 << channel) == 0 {
                let with = mask | 1 << channel
                result[channel] +=
                    weight[mask.nonzeroBitCount] * (Self.rate(conversions[with], nulls[with]) - low)
            }
        }
        return result
    }

    /// Means over random orders of the channels and their standard errors (Castro, Gómez and Tejada 2009).
    private func sampled(_ sets: Game, _ channels: Int) -> ([Double], [Double]?) {
        var sums = [Double](repeating: 0, count: channels)
        var squares = sums
        var random = RandomStream(seed: seed, lane: 0x5A9)
        var order = Array(0..<channels)
        var place = order
        for _ in 0..<permutations {
            for index in stride(from: channels - 1, to: 0, by: -1) { order.swapAt(index, random.below(index + 1)) }
            for (index, channel) in order.enumerated() { place[channel] = index }
            // A journey counts from the place at which the last of its channels joins.
            var conversions = [Double](repeating: 0, count: channels)
            var nulls = conversions
            for (set, count) in sets {
                let last = set.reduce(0) { max($0, place[Int($1)]) }
                conversions[last] += count.conversions
                nulls[last] += count.nulls
            }
            var (seenConversions, seenNulls, before) = (0.0, 0.0, 0.0)
            for (index, channel) in order.enumerated() {
                seenConversions += conversions[index]
                seenNulls += nulls[index]
                let now = Self.rate(seenConversions, seenNulls)
                sums[channel] += now - before
                squares[channel] += (now - before) * (now - before)
                before = now
            }
        }
        let n = Double(permutations)
        let means = sums.map { $0 / n }
        let errors = zip(squares, means).map { square, mean in
            (max(0, square / n - mean * mean) / max(n - 1, 1)).squareRoot()
        }
        return (means, errors)
    }

    private static func rate(_ conversions: Double, _ nulls: Double) -> Double {
        conversions + nulls > 0 ? conversions / (conversions + nulls) : 0
    }
}

/// Credit by Shapley values: among the channels of a journey, and within a channel equally among its sessions.
package struct ShapleyModel: FittedModel {
    /// Worth of each channel; nil divides equally among a journey's distinct channels, which is the value exactly.
    package let values: [Double]?
    /// Standard errors of the channel totals when they are sampled.
    package let errors: [Double]?
    package let channelTotals: [Double]?
    let sampled: Int?

    package var remarks: [String] {
        guard let sampled, let errors else { return [] }
        let largest = errors.max() ?? 0
        return [
            "Shapley values from \(sampled) sampled orders of the channels: the largest standard error of a channel's total "
                + "is \(largest) conversions"
        ]
    }

    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        touches.weights(byChannel: { channel in values.map { $0[Int(channel)] } ?? 1 }, into: &weights)
    }
}
