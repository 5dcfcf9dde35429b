import Features

/// What named raw values are in a model's row: the one place for API, CSV and training, so that the same values give the same
/// bits wherever they come in. (The stream computes the same arithmetic from its state.)
package struct RowValues: Sendable {
    private let model: Model
    private let arithmetic: FeatureArithmetic?
    /// For each feature, whether it follows from others when it is not given.
    package let isDerived: [Bool]

    package init(_ model: Model) {
        self.model = model
        arithmetic = model.specification.map { FeatureArithmetic($0) }
        var isDerived = [Bool](repeating: false, count: model.featureCount)
        for place in arithmetic?.places ?? [] { isDerived[place] = true }
        self.isDerived = isDerived
    }

    /// The names of the features that follow from others.
    package var derivable: [String] {
        model.featureNames.indices.filter { isDerived[$0] }.map { model.featureNames[$0] }
    }

    /// Computes what follows from a row's other features and was not given itself. A derived feature that was given stays,
    /// also when it was given as missing.
    @inline(__always)
    package func complete(_ row: UnsafeMutablePointer<Float>, isGiven: (Int) -> Bool) {
        arithmetic?.apply(row, isGiven: isGiven)
    }

    /// The value of a category's text; nil when the feature is a number. Spaces around the text do not count, and an empty one
    /// is missing.
    package func value(feature: Int, text: String) -> Float? {
        guard model.levels(feature: feature) != nil else { return nil }
        let trimmed = text.trimmingSpaces
        return trimmed.isEmpty ? .nan : model.code(feature: feature, text: trimmed)
    }

    /// The value of a number that stands for a category: the text that is written so, else its place among the texts, from 0,
    /// where no text is a number; nil when it is neither.
    package func category(feature: Int, number: Double) -> Float? {
        guard let levels = model.levels(feature: feature) else { return nil }
        let whole = Int(exactly: number)
        if let place = levels.firstIndex(of: whole.map { "\($0)" } ?? "\(number)") { return Float(place) }
        return whole.flatMap { place in
            levels.indices.contains(place) && !levels.contains { Double($0) != nil } ? Float(place) : nil
        }
    }

    /// What a category may be, for messages.
    package func choices(feature: Int) -> String {
        let levels = model.levels(feature: feature) ?? []
        return levels.prefix(12).map { "\"\($0)\"" }.joined(separator: ", ")
            + (levels.count > 12 ? " and \(levels.count - 12) more" : "")
    }
}
