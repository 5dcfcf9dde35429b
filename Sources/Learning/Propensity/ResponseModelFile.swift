import Base
import Scoring
import Terminal
import Trees

/// A trained response model as a model file.
extension ResponseResult {
    package var composition: Composition {
        Composition(
            kind: Composition.response, parts: outcomes.map { $0.fit.part(name: $0.name) },
            effects: outcomes.indices.map { .part($0) }, preprocessing: preprocessing,
            thresholds: request.adThresholds, cutoffs: outcomes.map(\.threshold), metrics: json.line)
    }

    /// Writes the file; returns its SHA-256.
    ///
    /// - Parameters:
    ///   - specification: canonical JSON of the features when the model's columns are a specification's; else empty.
    ///   - provenance: a JSON object as text.
    package func write(
        to path: String, name: String, version: String, specification: [UInt8] = [], provenance: String
    ) throws(ImpactError) -> String {
        let rows = request.columns
        let ranges = rows.map { column in column.values.withUnsafeBufferPointer { FeatureRange($0) } }
        let metadata = ModelMetadata(
            name: name, version: version, treatments: ["none"], outcomes: outcomes.map(\.name),
            featureNames: rows.map(\.name), specification: specification, provenance: provenance, ranges: ranges,
            composition: composition)
        var builder = try ModelBuilder(metadata: metadata, path: path)
        for outcome in outcomes {
            guard let ensemble = outcome.fit.ensemble else { continue }
            var source = AdditiveTrees(ensemble)
            try builder.addForest(.additive(features: preprocessing.outputCount), trees: &source)
        }
        return try builder.finish()
    }
}
