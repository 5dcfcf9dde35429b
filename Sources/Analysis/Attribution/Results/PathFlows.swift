/// How journeys flow from channel to channel, for a picture: the first steps of converting journeys, neighbours of one channel
/// counted once.
package struct PathFlows: Sendable {
    /// Steps that are kept; what comes after goes from the last of them to the conversion.
    package static let steps = 4

    package struct Node: Hashable, Sendable {
        /// The step, from 0; ``PathFlows/steps`` is the conversion.
        package var step: Int
        /// -1 for the conversion.
        package var channel: Int32
    }
    package struct Link: Sendable {
        package var from: Node
        package var to: Node
        package var count: Int
    }

    private var counts: [Node: [Node: Int]] = [:]
    package private(set) var journeys = 0

    package init() {}

    package mutating func add(_ touches: [Touch]) {
        var path: [Int32] = []
        for touch in touches where path.last != touch.channel { path.append(touch.channel) }
        guard !path.isEmpty else { return }
        journeys += 1
        var here: Node?
        for (step, channel) in path.prefix(Self.steps).enumerated() {
            let next = Node(step: step, channel: channel)
            if let here { counts[here, default: [:]][next, default: 0] += 1 }
            here = next
        }
        if let here { counts[here, default: [:]][Node(step: Self.steps, channel: -1), default: 0] += 1 }
    }

    /// The links, with all but the most frequent channels taken together as the channel -2.
    package func links(keeping limit: Int) -> [Link] {
        var weight: [Int32: Int] = [:]
        for (from, links) in counts { weight[from.channel, default: 0] += links.values.reduce(0, +) }
        let kept = Set(weight.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(limit).map(\.key))
        func merged(_ node: Node) -> Node {
            node.channel < 0 || kept.contains(node.channel) ? node : Node(step: node.step, channel: -2)
        }
        var merged_: [Node: [Node: Int]] = [:]
        for (from, links) in counts {
            for (to, count) in links { merged_[merged(from), default: [:]][merged(to), default: 0] += count }
        }
        return merged_.flatMap { from, links in links.map { Link(from: from, to: $0.key, count: $0.value) } }
            .sorted {
                ($0.from.step, $1.count, $0.from.channel, $0.to.channel) < (
                    $1.from.step, $0.count, $1.from.channel, $1.to.channel
                )
            }
    }
}

/// What each channel does in the three phases of an IHC model: sums over conversions.
package struct PhaseShares: Sendable {
    package private(set) var sums: [Int32: IHCModel.Phases] = [:]

    package init() {}

    package mutating func add(_ touches: [Touch], _ model: IHCModel) {
        for (touch, phases) in zip(touches, model.phases(of: touches)) {
            var sum = sums[touch.channel] ?? IHCModel.Phases(initializer: 0, holder: 0, closer: 0)
            sum.initializer += phases.0.initializer * phases.1.initializer
            sum.holder += phases.0.holder * phases.1.holder
            sum.closer += phases.0.closer * phases.1.closer
            sums[touch.channel] = sum
        }
    }
}
