/// What each feature of a row adds to a linear prediction.
extension Model {
    /// For a part that is linear: what it says at its centres (the training means), and for each feature of the row
    /// coefficient × deviation, added up over the feature's columns; before the link. base + Σ contributions is the margin.
    /// nil for other parts, and for linear ones with products of features.
    ///
    /// - Parameter row: `featureCount` values, NaN for a missing one.
    package func linearContributions(part index: Int, row: [Float]) -> (base: Double, contributions: [Double])? {
        guard let composition, composition.parts.indices.contains(index),
            case .linear(let part) = composition.parts[index], part.terms.allSatisfy({ $0.features.count == 1 })
        else { return nil }
        let columns = composition.preprocessing?.apply(row) ?? row
        let origin = composition.preprocessing?.inputOfOutput ?? Array(row.indices)
        var contributions = [Double](repeating: 0, count: featureCount)
        for term in part.terms {
            let column = term.features[0]
            let x = Double(columns[column])
            if x.isNaN, part.missingIsCentre { continue }
            let deviation = (x - (part.centres?[column] ?? 0)) * (part.scales?[column] ?? 1)
            contributions[origin[column]] += term.coefficient * deviation
        }
        return (part.intercept, contributions)
    }
}
