import Base
import Features
import Foundation

/// The metadata text of a model file: names, and the sizes that `model inspect` shows.
package struct ModelDescription: Codable, Equatable {
    package struct Forest: Codable, Equatable {
        var outcome: String
        var trees: Int
        var nodes: Int
        var leaves: Int
        var tiles: Int
        var deepest: Int
        var meanLeafDepth: Double
        /// Splits and tiles that a row passes in a tree if every split halves the rows.
        var expectedDepth: Double
        var expectedTiles: Double
        var splitImportance: [Double]

        // Names of the model file.
        private enum CodingKeys: String, CodingKey {
            case outcome = "outcome"
            case trees = "trees"
            case nodes = "nodes"
            case leaves = "leaves"
            case tiles = "tiles"
            case deepest = "deepest"
            case meanLeafDepth = "meanLeafDepth"
            case expectedDepth = "expectedDepth"
            case expectedTiles = "expectedTiles"
            case splitImportance = "splitImportance"
        }
    }

    package var name: String
    package var version: String
    package var treatments: [String]
    package var features: [String]
    package var contrasts: [[Double]]?
    package var importances: [Double]?
    package var ranges: [FeatureRange]?
    package var levels: [[String]?]?
    package var offsets: [EffectOffset?]?
    /// Only in models with a composition, whose forests are not one an outcome.
    package var outcomes: [String]?
    package var composition: Composition?
    package var forests: [Forest]

    // Names of the model file.
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name = "name"
        case version = "version"
        case treatments = "treatments"
        case features = "features"
        case contrasts = "contrasts"
        case importances = "importances"
        case ranges = "ranges"
        case levels = "levels"
        case offsets = "offsets"
        case outcomes = "outcomes"
        case composition = "composition"
        case forests = "forests"
    }

    package init(_ metadata: ModelMetadata, shapes: [TreeShape]) {
        name = metadata.name
        version = metadata.version
        treatments = metadata.treatments
        features = metadata.featureNames
        contrasts = metadata.contrasts
        importances = metadata.importances
        ranges = metadata.ranges
        levels = metadata.levels
        offsets = metadata.offsets
        outcomes = metadata.composition == nil ? nil : metadata.outcomes
        composition = metadata.composition
        forests = zip(metadata.forestNames, shapes).map { outcome, shape in
            Forest(
                outcome: outcome, trees: shape.trees, nodes: shape.nodes, leaves: shape.leaves, tiles: shape.tiles,
                deepest: shape.deepest, meanLeafDepth: Double(shape.leafDepths) / Double(max(1, shape.leaves)),
                expectedDepth: shape.expectedDepth / Double(max(1, shape.trees)),
                expectedTiles: shape.expectedTiles / Double(max(1, shape.trees)),
                splitImportance: shape.importance(featureCount: metadata.treeFeatureCount))
        }
    }

    package func json() throws(ImpactError) -> [UInt8] {
        // A property without a key would be left out without a word.
        precondition(Mirror(reflecting: self).children.count == CodingKeys.allCases.count, "a property has no name")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(self))
        } catch {
            throw ImpactError(.failed, code: "invalid_model", "cannot write the metadata: \(error)")
        }
    }

    /// Reads the text and holds it against the directory.
    static func read(
        _ bytes: UnsafeRawBufferPointer, _ directory: ModelFormat.Directory
    ) throws(ImpactError) -> ModelDescription {
        let description: ModelDescription
        do {
            description = try JSONDecoder().decode(ModelDescription.self, from: Data(bytes))
        } catch {
            throw ModelFormat.refusal("damaged_model", "has metadata that cannot be read: \(error)")
        }
        guard description.treatments.count == directory.effects,
            (description.composition != nil) == (directory.version != ModelFormat.plainVersion),
            description.features.count == directory.featureCount || description.composition != nil,
            description.forests.count == directory.forests.count,
            description.importances?.count ?? description.features.count == description.features.count,
            description.ranges?.count ?? description.features.count == description.features.count,
            description.levels?.count ?? description.features.count == description.features.count,
            description.forests.allSatisfy({ $0.splitImportance.count == directory.featureCount })
        else { throw ModelFormat.refusal("damaged_model", "has metadata that do not fit its forest") }
        if let composition = description.composition {
            try check(composition, description, directory)
            return description
        }
        if let offsets = description.offsets {
            guard offsets.count == directory.forests.count,
                offsets.allSatisfy({
                    $0?.isValid(features: directory.featureCount, effects: directory.effects) ?? true
                })
            else { throw ModelFormat.refusal("damaged_model", "has offsets that do not fit its forests") }
        }
        for forest in directory.forests {
            guard forest.kind != .additive else {
                throw ModelFormat.refusal("damaged_model", "holds additive trees without saying what they add up to")
            }
            if let contrasts = description.contrasts {
                guard contrasts.count == directory.effects,
                    contrasts.allSatisfy({ $0.count == forest.treatments && $0.allSatisfy(\.isFinite) })
                else { throw ModelFormat.refusal("damaged_model", "has contrasts that do not fit its forest") }
            } else if forest.treatments != directory.effects {
                throw ModelFormat.refusal("damaged_model", "names treatments that its forest does not have")
            }
        }
        return description
    }

    private static func check(
        _ composition: Composition, _ description: ModelDescription, _ directory: ModelFormat.Directory
    ) throws(ImpactError) {
        let outcomes = description.outcomes ?? []
        do throws(ImpactError) {
            try composition.check(
                inputs: description.features.count, features: directory.featureCount,
                effects: description.treatments.count * outcomes.count, outcomes: outcomes.count)
        } catch {
            throw ModelFormat.refusal("damaged_model", "cannot be used: \(error.message)")
        }
        let slots = composition.forestSlots
        let kindsFit = zip(slots, directory.forests).allSatisfy { ($0.causal == nil) == ($1.kind == .additive) }
        guard !outcomes.isEmpty, description.contrasts == nil, description.offsets == nil,
            slots.count == directory.forests.count, kindsFit
        else {
            throw ModelFormat.refusal("damaged_model", "holds other forests than its composition names")
        }
        for case .causal(let part) in composition.parts {
            guard let place = slots.firstIndex(where: { $0.causal == part.forest }),
                part.effect < directory.forests[place].treatments
            else { throw ModelFormat.refusal("damaged_model", "names an effect that its causal forest does not have") }
        }
    }
}

extension ModelMetadata {
    /// What the metadata must satisfy by themselves.
    package func check() throws(ImpactError) {
        func invalid(_ message: String) -> ImpactError { ImpactError(.badInput, code: "invalid_model", message) }
        if name.isEmpty { throw invalid("the model has no name") }
        for (what, names) in [("treatment", treatments), ("outcome", outcomes), ("feature", featureNames)] {
            guard !names.isEmpty else { throw invalid("the model has no \(what)") }
            guard Set(names).count == names.count, !names.contains("") else {
                throw invalid("the \(what)s' names must be different and not empty: \(NameList.text(names))")
            }
        }
        guard featureNames.count <= ModelFormat.maximumFeatures, outcomes.count <= ModelFormat.maximumForests else {
            throw invalid("the model has too many features or outcomes")
        }
        if !specification.isEmpty, try FeatureSpecification(json: specification).names != featureNames {
            throw invalid("the feature specification names other features than the model")
        }
        guard (try? JSONSerialization.jsonObject(with: Data(provenance.utf8))) is [String: Any] else {
            throw invalid("the provenance is not a JSON object")
        }
        try composition?.check(
            inputs: featureNames.count, features: treeFeatureCount, effects: treatments.count * outcomes.count,
            outcomes: outcomes.count)
        guard ranges.map({ $0.count == featureNames.count }) ?? true else {
            throw invalid("there must be one range per feature")
        }
        guard
            offsets.map({
                $0.count == outcomes.count
                    && $0.allSatisfy { $0?.isValid(features: featureNames.count, effects: treatments.count) ?? true }
            }) ?? true
        else { throw invalid("there must be one valid offset, or none, per outcome") }
        guard importances.map({ $0.count == featureNames.count && $0.allSatisfy(\.isFinite) }) ?? true else {
            throw invalid("there must be one finite importance per feature")
        }
    }

    /// What they must satisfy for a forest.
    package func check(_ info: ForestInfo) throws(ImpactError) {
        func invalid(_ message: String) -> ImpactError { ImpactError(.badInput, code: "invalid_model", message) }
        guard info.featureCount == treeFeatureCount else {
            throw invalid("the forest has \(info.featureCount) features, but \(treeFeatureCount) are named")
        }
        guard (1...ModelFormat.maximumParameters).contains(info.parameters),
            (1...info.parameters).contains(info.treatments), info.groupSize >= 1,
            info.kind == .econml || info.parameters == 1
        else {
            throw invalid(
                "a forest of \(info.parameters) parameters, \(info.treatments) of treatments, in little bags of "
                    + "\(info.groupSize) is not possible (at most \(ModelFormat.maximumParameters) parameters)")
        }
        if composition != nil {
            guard contrasts == nil else { throw invalid("contrasts have no meaning in a composition") }
        } else if info.kind == .additive {
            throw invalid("additive trees need a composition that says what they add up to")
        } else if let contrasts {
            guard contrasts.count == treatments.count,
                contrasts.allSatisfy({ $0.count == info.treatments && $0.allSatisfy(\.isFinite) })
            else { throw invalid("there must be one contrast a treatment, of \(info.treatments) finite weights") }
        } else if treatments.count != info.treatments {
            throw invalid("the forest has \(info.treatments) treatments, but \(treatments.count) are named")
        }
    }
}
