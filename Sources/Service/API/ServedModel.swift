import Base
import Engine
import Events
import Features
import JSON
import Scoring

/// The model that is served and what is the same for every answer.
package final class ServedModel: Sendable {
    package let model: Model
    package let level: ConfidenceLevel
    package let threshold: Double
    let names: FeatureNames
    /// Of the columns of texts behind features `column=text`.
    let textNames: FeatureNames
    /// The row of a person of whom nothing is known: what a feature is that a request does not give.
    let defaults: [Float]
    /// What values the features take.
    package let ranges: [ControlRange]
    /// What a request's values are in a row.
    let values: RowValues
    /// Whether a feature is a category, whose values are texts; empty when none is.
    let isCategory: [Bool]

    package init(model: Model, level: ConfidenceLevel, threshold: Double) {
        self.model = model
        self.level = level
        self.threshold = threshold
        names = FeatureNames(model.featureNames)
        defaults = Self.defaults(of: model)
        ranges = ControlRange.all(of: model)
        values = RowValues(model)
        textNames = FeatureNames(values.textColumns.map(\.name))
        let isCategory = (0..<model.featureCount).map { model.levels(feature: $0) != nil }
        self.isCategory = isCategory.contains(true) ? isCategory : []
    }

    private static func defaults(of model: Model) -> [Float] {
        var row = [Float](repeating: .nan, count: model.rowStride)
        for index in model.featureCount..<model.rowStride { row[index] = 0 }
        guard let fold = try? UserFold(model: model) else { return row }
        var event = Event()
        event.time = 1_767_225_600_000
        let nobody: [UInt8] = [0x2D]
        row.withUnsafeMutableBufferPointer { row in
            if let base = row.baseAddress {
                _ = nobody.withUnsafeBytes { fold.begin().features(before: event, user: $0, into: base) }
            }
        }
        return row
    }

    /// The problem of a number, or something else, that is none of a category's texts.
    func unknownCategory(_ feature: Int, field: String?) -> Problem {
        Problem(
            422, "unknown_category", "must be one of the texts \(values.choices(feature: feature)), or null",
            field: field)
    }

    /// What a scanner found at a place of the body; with the texts of a category when it is about one.
    func problem(_ error: InputError, field: String?) -> Problem {
        if error.code == .fieldType, let feature = error.field.featureIndex, !isCategory.isEmpty, isCategory[feature] {
            return unknownCategory(feature, field: field)
        }
        return Problem(error, field: field)
    }

    /// The problem of a name that is not a feature.
    func unknownFeature(_ name: String, place: String) -> Problem {
        let hint = NearestName.find(name, among: model.featureNames)
        return Problem(
            422, "unknown_feature",
            "the model has no feature \"\(name.prefix(100))\""
                + (hint.map { "; did you mean \"\($0)\"?" } ?? "; GET /v1/model lists them"),
            field: place.isEmpty ? String(name.prefix(100)) : "\(place).\(name.prefix(100))")
    }
}
