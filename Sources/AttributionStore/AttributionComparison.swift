import Attribution
import Base

/// Runs several models over the same journeys: one pass to learn, one to divide.
package enum AttributionComparison {
    package static func compare(
        _ reader: JourneyReader, _ kinds: [ModelKind], _ models: AttributionModels,
        progress: ((String, Int) -> Void)? = nil, each: ((Journey) -> Void)? = nil
    ) throws(ImpactError) -> ModelComparison {
        let fitters = kinds.map { models.fitter($0) }
        var causal = CausalTotals()
        try reader.forEachJourney(progress: { progress?("learn", $0) }) { (journey) throws(ImpactError) in
            let converted = journey.conversion != nil
            for fitter in fitters {
                fitter?.add(
                    journey.touches, conversion: journey.conversion?.time, conversions: converted ? 1 : 0,
                    nulls: converted ? 0 : 1)
            }
        }
        let channels = reader.channels.count
        var comparison = ModelComparison(channels: reader.channels.names)
        var chosen: [any CreditModel] = []
        for (kind, fitter) in zip(kinds, fitters) {
            var own: [Double]?
            if let rule = models.rule(kind) {
                chosen.append(rule)
            } else if let fitted = fitter?.finish(channels: channels) {
                chosen.append(fitted)
                own = fitted.channelTotals
                comparison.remarks += fitted.remarks
            }
            comparison.columns.append(
                .init(kind: kind, units: [Int128](repeating: 0, count: channels), ownTotals: own))
        }
        var weights: [Double] = []
        var shares: [Int64] = []
        reader.eachUser = { causal.add($0) }
        defer { reader.eachUser = nil }
        try reader.forEachJourney(progress: { progress?("divide", $0) }) { (journey) throws(ImpactError) in
            guard let conversion = journey.conversion else { return }
            comparison.conversions += 1
            for (index, model) in chosen.enumerated() {
                model.weights(of: journey.touches, conversion: conversion.time, into: &weights)
                Credit.divide(weights, into: &shares)
                for (touch, units) in zip(journey.touches, shares) {
                    comparison.columns[index].units[Int(touch.channel)] += Int128(units)
                }
            }
            each?(journey)
        }
        let rows = causal.sorted
        comparison.causal = rows.contains { $0.scored > 0 } ? rows : []
        guard !kinds.contains(.causal) || !comparison.causal.isEmpty else { throw CausalModel.withoutScores }
        try reader.countRefunds()
        return comparison
    }
}
