/// A graph of channels with start, conversion and null, and what removing a channel costs (Anderl, Becker, von Wangenheim
/// and Schumann 2016).
///
/// A state of order k is the last k channels. Counts are sparse: what was never seen takes no room.
package final class MarkovFitter: ModelFitter {
    package static let orders = 1...4
    /// A channel takes 16 bits of a state's key.
    package static let maximumChannels = Int(UInt16.max) - 1
    private static let start: Int32 = 0

    private var counts: MarkovCounts

    package init(order: Int) { counts = MarkovCounts(order: order) }

    package init(_ counts: MarkovCounts) { self.counts = counts }

    package func add(_ touches: [Touch], conversion: Int64?, conversions: Double, nulls: Double) {
        let channels = touches.map(\.channel)
        channels.withUnsafeBufferPointer { add($0, conversions: conversions, nulls: nulls) }
    }

    /// Adds journeys of one path.
    package func add(_ channels: UnsafeBufferPointer<Int32>, conversions: Double, nulls: Double) {
        counts.add(channels, conversions: conversions, nulls: nulls)
    }

    package func finish(channels: Int) -> any FittedModel {
        let graph = MarkovGraph(
            newest: counts.newest, edges: counts.edges.sorted(), conversions: counts.conversions, nulls: counts.nulls,
            channels: channels)
        let solution = graph.solve()
        return MarkovModel(
            order: counts.order, states: counts.newest.count - 1, transitions: counts.edges.count,
            probability: solution.probability, removalEffects: solution.effects,
            conversions: counts.totalConversions, sweeps: solution.sweeps)
    }
}

/// How often states followed one another, and where journeys ended. A value, so that a path costs one check of exclusive
/// access and not one a channel.
package struct MarkovCounts: Sendable {
    private static let start: Int32 = 0

    let order: Int
    private let mask: UInt64
    private var states = StateIndex()
    /// Of order 1 the state of each channel is found without a search; 0 where it has none.
    private var statesOfChannels: [Int32] = []
    /// The last channels of each state, 16 bits each and one more than their numbers.
    private var keys: [UInt64] = [0]
    /// Newest channel of each state; the start has none.
    private(set) var newest: [Int32] = [-1]
    private(set) var edges = EdgeCounts()
    private(set) var conversions: [Double] = [0]
    private(set) var nulls: [Double] = [0]
    private(set) var totalConversions = 0.0

    package init(order: Int) {
        let order = min(max(order, MarkovFitter.orders.lowerBound), MarkovFitter.orders.upperBound)
        self.order = order
        mask = order == 4 ? .max : (1 << UInt64(16 * order)) - 1
    }

    @inline(__always)
    package mutating func add(_ channels: UnsafeBufferPointer<Int32>, conversions more: Double, nulls lost: Double) {
        let weight = more + lost
        guard weight > 0, !channels.isEmpty else { return }
        totalConversions += more
        var from = Self.start
        if order == 1 {
            for channel in channels {
                var to: Int32 = Int(channel) < statesOfChannels.count ? statesOfChannels[Int(channel)] : 0
                if to == 0 { to = firstState(channel) }
                edges.add(from, to, weight)
                from = to
            }
            conversions[Int(from)] += more
            nulls[Int(from)] += lost
            return
        }
        var key: UInt64 = 0
        for channel in channels {
            key = (key << 16 | UInt64(channel + 1)) & mask
            let to = state(key, channel)
            edges.add(from, to, weight)
            from = to
        }
        conversions[Int(from)] += more
        nulls[Int(from)] += lost
    }

    @inline(__always)
    private mutating func state(_ key: UInt64, _ channel: Int32) -> Int32 {
        let (index, isNew) = states.index(of: key, next: Int32(truncatingIfNeeded: newest.count))
        if isNew {
            newest.append(channel)
            keys.append(key)
            conversions.append(0)
            nulls.append(0)
        }
        return index
    }

    @inline(never)
    private mutating func firstState(_ channel: Int32) -> Int32 {
        let index = state(UInt64(channel + 1), channel)
        while statesOfChannels.count <= Int(channel) { statesOfChannels.append(0) }
        statesOfChannels[Int(channel)] = index
        return index
    }

    /// Adds the counts of a part of the journeys, where channels have numbers of their own.
    ///
    /// - Parameter channels: the number here of each channel there.
    package mutating func add(_ part: MarkovCounts, channels: [Int32]) {
        var places = [Self.start]
        for number in part.keys.indices.dropFirst() {
            var key: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 64, by: 16) {
                let there = Int(part.keys[number] >> shift & 0xFFFF)
                if there > 0 { key |= UInt64(channels[there - 1] + 1) << shift }
            }
            let channel = channels[Int(part.newest[number])]
            places.append(order == 1 ? firstState(channel) : state(key, channel))
        }
        for edge in part.edges.sorted() { edges.add(places[Int(edge.from)], places[Int(edge.to)], edge.count) }
        for number in part.keys.indices {
            conversions[Int(places[number])] += part.conversions[number]
            nulls[Int(places[number])] += part.nulls[number]
        }
        totalConversions += part.totalConversions
    }
}

/// The numbers of states by key: open addressing, which costs a tenth of a Dictionary here.
struct StateIndex {
    private var keys = [UInt64](repeating: 0, count: 1 << 10)
    private var values = [Int32](repeating: 0, count: 1 << 10)
    private var count = 0

    /// The number of a key that is not zero; `next` when it is new.
    @inline(__always)
    mutating func index(of key: UInt64, next: Int32) -> (Int32, isNew: Bool) {
        var mask = keys.count - 1
        var place = Self.hash(key) & mask
        while keys[place] != 0 {
            if keys[place] == key { return (values[place], false) }
            place = (place + 1) & mask
        }
        if count * 2 >= keys.count {
            grow()
            mask = keys.count - 1
            place = Self.hash(key) & mask
            while keys[place] != 0 { place = (place + 1) & mask }
        }
        keys[place] = key
        values[place] = next
        count += 1
        return (next, true)
    }

    private mutating func grow() {
        let (oldKeys, oldValues) = (keys, values)
        keys = [UInt64](repeating: 0, count: oldKeys.count * 2)
        values = [Int32](repeating: 0, count: keys.count)
        let mask = keys.count - 1
        for (index, key) in oldKeys.enumerated() where key != 0 {
            var place = Self.hash(key) & mask
            while keys[place] != 0 { place = (place + 1) & mask }
            keys[place] = key
            values[place] = oldValues[index]
        }
    }

    @inline(__always)
    static func hash(_ key: UInt64) -> Int {
        let mixed = (key ^ key >> 32) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 20)
    }
}

/// How often each pair of states followed one another: a square while there are few states, as with order 1, else sparse.
struct EdgeCounts {
    struct Edge {
        var from: Int32
        var to: Int32
        var count: Double
    }

    /// 8 MB of doubles.
    private static let widestSquare = 1 << 10

    private var width = 64
    private var square = [Double](repeating: 0, count: 64 * 64)
    private var index = StateIndex()
    private var edges: [Edge] = []

    var count: Int { width > 0 ? square.reduce(0) { $1 > 0 ? $0 + 1 : $0 } : edges.count }

    @inline(__always)
    mutating func add(_ from: Int32, _ to: Int32, _ weight: Double) {
        if Int(max(from, to)) < width {
            square[Int(from) * width + Int(to)] += weight
        } else {
            addOutside(from, to, weight)
        }
    }

    @inline(never)
    private mutating func addOutside(_ from: Int32, _ to: Int32, _ weight: Double) {
        let most = Int(max(from, to))
        if width > 0, most < Self.widestSquare {
            let old = (square, width)
            while width <= most { width *= 2 }
            square = [Double](repeating: 0, count: width * width)
            for row in 0..<old.1 {
                for column in 0..<old.1 { square[row * width + column] = old.0[row * old.1 + column] }
            }
            square[Int(from) * width + Int(to)] += weight
            return
        }
        if width > 0 {
            let all = sorted()
            (width, square) = (0, [])
            for edge in all { addSparse(edge.from, edge.to, edge.count) }
        }
        addSparse(from, to, weight)
    }

    private mutating func addSparse(_ from: Int32, _ to: Int32, _ weight: Double) {
        // `to` is never the start, so a key is never zero.
        let key = UInt64(UInt32(bitPattern: from)) << 32 | UInt64(UInt32(bitPattern: to))
        let (place, isNew) = index.index(of: key, next: Int32(edges.count))
        if isNew {
            edges.append(Edge(from: from, to: to, count: weight))
        } else {
            edges[Int(place)].count += weight
        }
    }

    /// By the state they leave.
    func sorted() -> [Edge] {
        guard width > 0 else { return edges.sorted { ($0.from, $0.to) < ($1.from, $1.to) } }
        return square.indices.compactMap { place in
            square[place] > 0
                ? Edge(from: Int32(place / width), to: Int32(place % width), count: square[place]) : nil
        }
    }
}
