import Base
import Foundation
import Scoring

/// What `exporters/econml_export.py` writes beside the arrays: names, the treatment, provenance.
///
/// An .npz without the array `metadata` (arrays saved by hand) has none of it and is read all the same.
package struct EconMLMetadata: Sendable, Equatable {
    static let format = "impactiq-econml"
    static let supportedVersions = 1...1

    package var featureNames: [String]
    /// One a treatment parameter.
    package var treatmentNames: [String]
    package var outcomeNames: [String]
    /// The object `provenance`, with the treatment beside it, as JSON with sorted keys.
    package var provenance: String

    /// - Parameter file: named in errors.
    init(json: [UInt8], file: String) throws(ImpactError) {
        func refusal(_ what: String) -> ImpactError {
            ImpactError(.badInput, code: "import_metadata", "\(file): array metadata: \(what)")
        }
        let content: [String: Any]
        do {
            guard let object = try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any] else {
                throw refusal("it is no JSON object")
            }
            content = object
        } catch let error as ImpactError {
            throw error
        } catch {
            throw refusal("it is not JSON: \((error as NSError).localizedDescription)")
        }
        guard content["format"] as? String == Self.format else {
            throw refusal("it is not of the format \(Self.format)")
        }
        guard let version = content["format_version"] as? Int, Self.supportedVersions.contains(version) else {
            throw ImpactError(
                .badInput, code: "import_version",
                "\(file): format version \(content["format_version"] ?? "missing"); this program reads "
                    + "\(Self.supportedVersions.lowerBound): export the forest with the econml_export.py of this release"
            )
        }
        guard let features = content["feature_names"] as? [String], !features.isEmpty else {
            throw refusal("feature_names is not a list of names")
        }
        guard let treatment = content["treatment"] as? [String: Any], let treatments = treatment["names"] as? [String],
            !treatments.isEmpty
        else { throw refusal("treatment has no list of names") }
        guard let outcomes = content["outcome_names"] as? [String], !outcomes.isEmpty else {
            throw refusal("outcome_names is not a list of names")
        }
        for (what, names) in [
            ("feature_names", features), ("treatment names", treatments), ("outcome_names", outcomes),
        ] {
            var seen = Set<String>()
            if let twice = names.first(where: { !seen.insert($0).inserted }) {
                throw refusal("\(what) holds \(twice) twice")
            }
        }
        featureNames = features
        treatmentNames = treatments
        outcomeNames = outcomes
        var provenance = content["provenance"] as? [String: Any] ?? [:]
        provenance["treatment"] = treatment
        guard
            let text = try? JSONSerialization.data(
                withJSONObject: provenance, options: [.sortedKeys, .withoutEscapingSlashes])
        else {
            throw refusal("provenance cannot be written as JSON")
        }
        self.provenance = String(decoding: text, as: UTF8.self)
    }
}
