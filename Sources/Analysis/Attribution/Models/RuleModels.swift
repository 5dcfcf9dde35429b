import Foundation

/// All to the first session.
package struct FirstTouch: CreditModel {
    package init() {}
    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        weights = [Double](repeating: 0, count: touches.count)
        if !weights.isEmpty { weights[0] = 1 }
    }
}

/// All to the last session; or to the last one whose channel is not direct, when there is one.
package struct LastTouch: CreditModel {
    /// Channels that count as direct; empty for the plain model.
    package let direct: Set<Int32>

    package init(direct: Set<Int32> = []) { self.direct = direct }

    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        weights = [Double](repeating: 0, count: touches.count)
        guard !touches.isEmpty else { return }
        weights[touches.lastIndex { !direct.contains($0.channel) } ?? touches.count - 1] = 1
    }
}

/// Equal shares.
package struct LinearModel: CreditModel {
    package init() {}
    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        weights = [Double](repeating: 1, count: touches.count)
    }
}

/// A session counts half as much for each half-life between it and the conversion.
package struct TimeDecay: CreditModel {
    /// Milliseconds.
    package let halfLife: Double

    package init(halfLife: Double) { self.halfLife = halfLife }

    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        weights.removeAll(keepingCapacity: true)
        // From the last session, so that a journey long before its conversion does not come out as all zeros.
        let last = touches.last?.time ?? conversion
        for touch in touches { weights.append(exp2(-Double(last - touch.time) / halfLife)) }
    }
}

/// Fixed shares by position: U (first, last, the rest between) or W (first, middle, last, the rest between).
package struct PositionModel: CreditModel {
    package let first: Double
    /// The share of the middle session; zero in the U shape.
    package let middle: Double
    package let last: Double

    /// 40, 20, 40.
    package static let u = PositionModel(first: 0.4, middle: 0, last: 0.4)
    /// 30, 30, 30, and 10 for the rest. The middle one stands for the lead, where no lead is known.
    package static let w = PositionModel(first: 0.3, middle: 0.3, last: 0.3)

    package init(first: Double, middle: Double, last: Double) {
        self.first = first
        self.middle = middle
        self.last = last
    }

    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        weights = [Double](repeating: 0, count: touches.count)
        guard touches.count > 1 else {
            if !weights.isEmpty { weights[0] = 1 }
            return
        }
        let end = touches.count - 1
        weights[0] += first
        weights[end] += last
        let centre = end / 2
        let hasMiddle = middle > 0 && centre > 0
        if hasMiddle { weights[centre] += middle }
        let others = end - 1 - (hasMiddle ? 1 : 0)
        guard others > 0 else { return }
        let rest = max(0, 1 - first - last - (hasMiddle ? middle : 0)) / Double(others)
        for index in 1..<end where !(hasMiddle && index == centre) { weights[index] += rest }
    }
}
