import Base
import Scoring

/// Turns a forest that EconML or grf fitted into a model file, a tree at a time.
package enum ModelImporter {
    /// - Throws: `import_…` naming file, array, tree, node or line; `import_features` when the forest's features are not
    ///   those of the specification; `file_failed`.
    package static func run(
        _ request: ImportRequest, progress: (ImportProgress) -> Void = { _ in }
    ) throws(ImpactError) -> ImportSummary {
        try run(request, limits: ImportLimits(), progress: progress)
    }

    package static func run(
        _ request: ImportRequest, limits: ImportLimits, progress: (ImportProgress) -> Void = { _ in }
    ) throws(ImpactError) -> ImportSummary {
        switch request.kind {
        case .econml: try econML(request, limits, progress)
        case .grf: try grf(request, limits, progress)
        }
    }

    private static func econML(
        _ request: ImportRequest, _ limits: ImportLimits, _ progress: (ImportProgress) -> Void
    ) throws(ImpactError) -> ImportSummary {
        let file = try EconMLFile(path: request.input, limits: limits)
        let names = ImportNames(file: request.input)
        let features = try names.features(file: file.metadata?.featureNames, requested: request.featureNames)
        let shape = file.forests[0]
        if let count = shape.importances?.count, count != features.count {
            throw names.fault("the forest has \(count) features, the specification \(features.count)")
        }
        let treatments = try names.treatments(
            file: file.metadata?.treatmentNames ?? ImportNames.numbered("T", shape.treatments),
            requested: request.treatments)
        let (outcomes, chosen) = try names.outcomes(
            file: file.metadata?.outcomeNames ?? ImportNames.numbered("Y", file.forests.count),
            requested: request.outcomes)
        let importances = chosen.map { file.forests[$0].importances }
        let metadata = ModelMetadata(
            name: request.name, version: request.version, treatments: treatments, outcomes: outcomes,
            featureNames: features, specification: request.specification,
            provenance: file.metadata?.provenance ?? #"{"library":"econml"}"#,
            importances: mean(importances, of: features.count))
        var builder = try ModelBuilder(metadata: metadata, path: request.output)
        for (position, outcome) in chosen.enumerated() {
            let forest = file.forests[outcome]
            let info = ForestInfo(
                kind: .econml, parameters: forest.parameters, treatments: forest.treatments,
                groupSize: forest.groupSize, featureCount: features.count, missing: .refuse)
            var source = try file.source(outcome: outcome)
            do {
                try builder.addForest(info, trees: &source) {
                    progress(
                        ImportProgress(
                            outcome: position, outcomes: chosen.count, trees: $0, totalTrees: forest.trees))
                }
            } catch {
                let arrays = forest.suffix.isEmpty ? "" : "arrays with suffix \(forest.suffix): "
                throw placed(error, "\(request.input): \(arrays)")
            }
        }
        return ImportSummary(
            output: request.output, sha256: try builder.finish(), features: features, treatments: treatments,
            outcomes: outcomes, trees: chosen.reduce(0) { $0 + file.forests[$1].trees },
            nodes: chosen.reduce(0) { $0 + file.forests[$1].nodes }, hasIntervals: shape.groupSize > 1)
    }

    private static func grf(
        _ request: ImportRequest, _ limits: ImportLimits, _ progress: (ImportProgress) -> Void
    ) throws(ImpactError) -> ImportSummary {
        var source = CountingSource(try GRFSource(path: request.input, limits: limits))
        let forest = source.source
        let names = ImportNames(file: request.input)
        let named = forest.header.featureNames
        let features = try names.features(
            file: named.isEmpty ? nil : named,
            requested: request.featureNames ?? (named.isEmpty ? (1...forest.featureCount).map { "X\($0)" } : nil))
        guard features.count == forest.featureCount else {
            throw names.fault("the forest has \(forest.featureCount) features, the specification \(features.count)")
        }
        let treatments = try names.treatments(file: [forest.header.treatment], requested: request.treatments)
        let (outcomes, _) = try names.outcomes(file: [forest.header.outcome], requested: request.outcomes)
        let metadata = ModelMetadata(
            name: request.name, version: request.version, treatments: treatments, outcomes: outcomes,
            featureNames: features, specification: request.specification, provenance: forest.header.provenance)
        var builder = try ModelBuilder(metadata: metadata, path: request.output)
        let info = ForestInfo(
            kind: .grf, parameters: 1, treatments: 1, groupSize: forest.groupSize, featureCount: features.count,
            missing: .route)
        do {
            try builder.addForest(info, trees: &source) {
                progress(ImportProgress(outcome: 0, outcomes: 1, trees: $0, totalTrees: forest.trees))
            }
        } catch { throw placed(error, "\(request.input): ") }
        return ImportSummary(
            output: request.output, sha256: try builder.finish(), features: features, treatments: treatments,
            outcomes: outcomes, trees: forest.trees, nodes: source.nodes, hasIntervals: forest.groupSize > 1)
    }

    /// The builder names tree and node; the file is known here.
    private static func placed(_ error: ImpactError, _ place: String) -> ImpactError {
        guard error.code == "invalid_forest" else { return error }
        return ImpactError(error.kind, code: error.code, place + error.message)
    }

    /// The mean importance over the outcomes; nil when one has none.
    private static func mean(_ importances: [[Double]?], of count: Int) -> [Double]? {
        var sum = [Double](repeating: 0, count: count)
        for importance in importances {
            guard let importance, importance.count == count else { return nil }
            for index in 0..<count { sum[index] += importance[index] / Double(importances.count) }
        }
        return sum
    }
}

/// Counts the nodes that pass.
private struct CountingSource: TreeSource {
    let source: GRFSource
    private(set) var nodes = 0

    init(_ source: GRFSource) { self.source = source }

    mutating func nextTree() throws(ImpactError) -> RawTree? {
        guard let tree = try source.nextTree() else { return nil }
        nodes += tree.left.count
        return tree
    }
}
