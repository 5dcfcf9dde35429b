import Base
import Foundation
import JSON
import Scoring
import Terminal

/// How much each parameter moves a customer away from a baseline: (value − baseline) × weight, by weights and baselines that
/// a team writes down.
///
/// ```json
/// {"features":[
///   {"name":"total_orders","baseline":5,"weight":0.15},
///   {"name":"return_rate","baseline":0.05,"weight":-0.15,"lower_is_better":true},
///   {"name":"region","baseline":"1","weight":0.025}]}
/// ```
/// A feature where lower is better may have a negative weight (as above) or a positive one; either way a value that falls
/// below its baseline has a positive impact. A baseline in quotes makes a feature a category: it adds its weight when the
/// value, as text, differs.
package struct ImpactAnalysis: Sendable, Equatable {
    package enum Baseline: Sendable, Equatable {
        case number(Double)
        case text(String)
    }

    package struct Feature: Sendable, Equatable {
        package var name: String
        package var baseline: Baseline
        package var weight: Double
        package var lowerIsBetter: Bool

        package init(name: String, baseline: Baseline, weight: Double, lowerIsBetter: Bool = false) {
            self.name = name
            self.baseline = baseline
            self.weight = weight
            self.lowerIsBetter = lowerIsBetter
        }
    }

    package enum Direction: String, Sendable {
        case positive, negative, neutral
        /// The value is missing.
        case unknown

        package init(_ impact: Double?) {
            guard let impact else {
                self = .unknown
                return
            }
            self = impact > 0 ? .positive : impact < 0 ? .negative : .neutral
        }

        package var arrow: String {
            switch self {
            case .positive: "▲"
            case .negative: "▼"
            case .neutral: "="
            case .unknown: "?"
            }
        }
    }

    /// What one feature adds. `impact` is nil when the value is missing.
    package struct Impact: Sendable, Equatable {
        package var name: String
        package var value: String
        package var baseline: String
        package var impact: Double?
        package var direction: Direction
    }

    package var features: [Feature]

    /// As API, history and `--json` have them.
    package static func json(_ impacts: [Impact]) -> JSONOutput {
        .array(
            impacts.map { impact in
                [
                    "feature": .text(impact.name), "value": .text(impact.value), "baseline": .text(impact.baseline),
                    "impact": impact.impact.map { .number($0) } ?? .null,
                    "direction": .text(impact.direction.rawValue), "arrow": .text(impact.direction.arrow),
                ]
            })
    }

    package init(features: [Feature]) { self.features = features }

    /// Reads weights and baselines.
    ///
    /// - Throws: `invalid_json`; `impact_file` naming the feature and the key at fault.
    package init(json: [UInt8], name: String) throws(ImpactError) {
        let document = try JSONValue(parsing: json, name: name, maxBytes: 1 << 20, maxDepth: 8)
        func fault(_ what: String) -> ImpactError { ImpactError(.badInput, code: "impact_file", "\(name): \(what)") }
        guard let list = document["features"]?.array, !list.isEmpty else {
            throw fault("needs \"features\", an array of objects with name, baseline and weight")
        }
        features = []
        for (index, entry) in list.enumerated() {
            guard let feature = entry["name"]?.string else { throw fault("feature \(index + 1): name is missing") }
            guard let weight = entry["weight"]?.number else {
                throw fault("feature \(index + 1) \"\(feature)\": weight is missing or no number")
            }
            let baseline: Baseline
            if let number = entry["baseline"]?.number {
                baseline = .number(number)
            } else if let text = entry["baseline"]?.string {
                baseline = .text(text)
            } else {
                throw fault(
                    "feature \(index + 1) \"\(feature)\": baseline is missing; write a number, or a text in quotes")
            }
            for member in entry.members ?? []
            where !["name", "baseline", "weight", "lower_is_better"].contains(member.name) {
                throw fault("feature \(index + 1) \"\(feature)\": \(member.name) is not a key here")
            }
            guard !features.contains(where: { $0.name == feature }) else {
                throw fault("feature \(index + 1) \"\(feature)\" stands there twice")
            }
            features.append(
                Feature(
                    name: feature, baseline: baseline, weight: weight,
                    lowerIsBetter: entry["lower_is_better"] == .bool(true)))
        }
    }

    /// A value without spaces around it; empty when it is missing, in the words of a CSV.
    private static func known(_ text: String) -> String {
        let trimmed = text.trimmingCharacters(in: .whitespaces)
        return ["na", "nan", "null", "none"].contains(trimmed.lowercased()) ? "" : trimmed
    }

    /// Whether a value can be set against its baseline: a text where a number must be cannot.
    package func accepts(_ text: String, for name: String) -> Bool {
        guard let feature = features.first(where: { $0.name == name }), case .number = feature.baseline else {
            return true
        }
        let known = Self.known(text)
        return known.isEmpty || Double(known)?.isFinite == true
    }

    /// Checks the features against those of a model: a misspelt one, or a number as the baseline of a category, would never
    /// say anything. Returns the features that the model does not have.
    ///
    /// - Throws: `impact_file` naming the feature.
    package func check(_ model: Model, name: String) throws(ImpactError) -> [String] {
        var foreign: [String] = []
        for feature in features {
            if let place = model.featureNames.firstIndex(of: feature.name) {
                guard case .number = feature.baseline, let levels = model.levels(feature: place) else { continue }
                throw ImpactError(
                    .badConfiguration, code: "impact_file",
                    "\(name): \"\(feature.name)\" is a category of \(model.name); its baseline must be a text in quotes, such as "
                        + "\"\(levels.first ?? "")\"")
            }
            let others = model.featureNames.filter { own in !features.contains { $0.name == own } }
            if let near = NearestName.find(feature.name, among: others) {
                throw ImpactError(
                    .badConfiguration, code: "impact_file",
                    "\(name): \(model.name) has no feature \"\(feature.name)\"; did you mean \"\(near)\"?")
            }
            foreign.append(feature.name)
        }
        guard foreign.count < features.count else {
            throw ImpactError(
                .badConfiguration, code: "impact_file",
                "\(name): none of its features is one of \(model.name), which has \(NameList.text(model.featureNames, limit: 24))"
            )
        }
        return foreign
    }

    /// The impact of each feature of a customer; values as text, as a CSV or an API brings them.
    package func impacts(_ values: (String) -> String?) -> [Impact] {
        features.map { feature in
            let text = Self.known(values(feature.name) ?? "")
            switch feature.baseline {
            case .text(let baseline):
                let impact: Double? = text.isEmpty ? nil : text == baseline ? 0 : feature.weight
                return Impact(
                    name: feature.name, value: text, baseline: baseline, impact: impact,
                    direction: Direction(impact))
            case .number(let baseline):
                var impact = Double(text).flatMap { $0.isFinite ? ($0 - baseline) * feature.weight : nil }
                // Lower is better: a fall is a gain whatever sign the weight was written with.
                if feature.lowerIsBetter, feature.weight > 0 { impact = impact.map { -$0 } }
                return Impact(
                    name: feature.name, value: text, baseline: "\(baseline)", impact: impact,
                    direction: Direction(impact))
            }
        }
    }
}
