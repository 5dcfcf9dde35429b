/// Credit as an IHC API divides it: by phases initializer, holder and closer, with curves that were fitted to its answers.
package struct IHCModel: CreditModel {
    /// The phases of a session, each adding up to 1 over the journey where any session has it.
    package struct Phases: Sendable, Equatable {
        package var initializer: Double
        package var holder: Double
        package var closer: Double

        package init(initializer: Double, holder: Double, closer: Double) {
            self.initializer = initializer
            self.holder = holder
            self.closer = closer
        }
    }

    package let parameters: IHCParameters
    /// Channels whose credit goes to the journey's other channels, phase by phase, where there are any.
    package let redistributed: Set<Int32>

    package init(_ parameters: IHCParameters, redistributed: Set<Int32> = []) {
        self.parameters = parameters
        self.redistributed = redistributed
    }

    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        weights.removeAll(keepingCapacity: true)
        for phases in phases(of: touches) { weights.append(credit(phases.0, present: phases.1)) }
    }

    /// The phases of each session, and the weight of each phase that the journey has.
    package func phases(of touches: [Touch]) -> [(Phases, Phases)] {
        let count = touches.count
        guard count > 0 else { return [] }
        var initial = [Double](repeating: 1, count: count)
        var begin = 0
        for index in 1..<max(count, 1) where index < count {
            let gap = Double(touches[index].time - touches[index - 1].time) / 3_600_000
            if gap >= parameters.restartHours {
                begin = index
            } else {
                initial[index] = parameters.initializer.at(gap)
            }
        }
        // The holder's share sees the initializers of all sessions, also of those before a new start.
        let all = initial.reduce(0, +)
        let shares = initial.map { $0 / all }
        for index in 0..<begin { initial[index] = 0 }
        var closing = [Double](repeating: 0, count: count)
        closing[count - 1] = 1
        let end = touches[count - 1].time
        for index in begin..<(count - 1) where touches[index].flags.contains(.closerEngagement) {
            closing[index] = parameters.closer.at(Double(end - touches[index].time) / 3_600_000)
        }
        Self.scale(&closing)
        var holding = [Double](repeating: 0, count: count)
        for index in begin..<count where touches[index].flags.contains(.holderEngagement) {
            holding[index] = IHCParameters.holder(initializer: shares[index], closer: closing[index])
        }
        Self.multiply(&initial, parameters.positions.initializer, from: begin)
        Self.multiply(&holding, parameters.positions.holder, from: begin)
        Self.multiply(&closing, parameters.positions.closer, from: begin)
        redistribute(&initial, touches)
        redistribute(&holding, touches)
        redistribute(&closing, touches)
        Self.scale(&initial)
        Self.scale(&closing)
        let hasHolder = Self.scale(&holding)
        let total =
            parameters.initializerWeight + parameters.closerWeight + (hasHolder ? parameters.holderWeight : 0)
        let present = Phases(
            initializer: parameters.initializerWeight / total, holder: hasHolder ? parameters.holderWeight / total : 0,
            closer: parameters.closerWeight / total)
        return (0..<count).map { index in
            (Phases(initializer: initial[index], holder: holding[index], closer: closing[index]), present)
        }
    }

    private func credit(_ phases: Phases, present: Phases) -> Double {
        phases.initializer * present.initializer + phases.holder * present.holder + phases.closer * present.closer
    }

    private func redistribute(_ phase: inout [Double], _ touches: [Touch]) {
        guard !redistributed.isEmpty else { return }
        // What others have stays in proportion; where only the redistributed channels have the phase they keep it.
        let others = touches.indices.reduce(0) { $0 + (redistributed.contains(touches[$1].channel) ? 0 : phase[$1]) }
        guard others > 0 else { return }
        for index in touches.indices where redistributed.contains(touches[index].channel) { phase[index] = 0 }
    }

    /// Memberships by the position of their sessions, 0 … 1. A phase that would lose all of it stays as it is.
    private static func multiply(_ phase: inout [Double], _ curve: IHCCurve?, from begin: Int) {
        guard let curve, phase.count - begin > 1 else { return }
        let before = phase
        for index in begin..<phase.count { phase[index] *= curve.at(position(index, phase.count, from: begin)) }
        if !phase.contains(where: { $0 > 0 }) { phase = before }
    }

    static func position(_ index: Int, _ count: Int, from begin: Int) -> Double {
        Double(index - begin) / Double(max(1, count - 1 - begin))
    }

    @discardableResult
    private static func scale(_ phase: inout [Double]) -> Bool {
        let sum = phase.reduce(0, +)
        guard sum > 0 else { return false }
        for index in phase.indices { phase[index] /= sum }
        return true
    }
}
