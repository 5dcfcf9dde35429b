import Base
import Foundation

/// The lines `# key value` before the trees of a grf forest, which exporters/grf_export.R writes; all are optional.
package struct GRFHeader: Sendable, Equatable {
    static let supportedVersion = "1"

    package var treatment = "W"
    package var outcome = "Y"
    /// Empty when the file carries none.
    package var featureNames: [String] = []
    private var fields: [String: String] = [:]
    private var parameters: [String: String] = [:]
    private var notes: [String] = []

    init() {}

    /// Takes one line without its `#`. Returns why it is refused, or nil.
    mutating func take(_ line: String) -> (code: String, reason: String)? {
        let words = line.drop { $0 == " " }.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard let key = words.first, !key.isEmpty else { return nil }
        let value = words.count > 1 ? String(words[1]) : ""
        switch key {
        case "impactiq-grf":
            guard value == Self.supportedVersion else {
                return (
                    "import_version",
                    "format version \(value); this program reads \(Self.supportedVersion): export the forest with the "
                        + "grf_export.R of this release"
                )
            }
        case "treatment", "outcome", "feature":
            guard !value.isEmpty else { return ("import_text", "'\(key)' lacks a name") }
            if key == "treatment" { treatment = value }
            if key == "outcome" { outcome = value }
            if key == "feature" { featureNames.append(value) }
        case "parameter":
            let pair = value.split(separator: " ", maxSplits: 1)
            if let name = pair.first { parameters[String(name)] = pair.count > 1 ? String(pair[1]) : "" }
        case "note":
            notes.append(value)
        default:
            fields[String(key)] = value
        }
        return nil
    }

    /// What is known of the fit, as JSON with sorted keys.
    package var provenance: String {
        var object: [String: Any] = ["library": "grf", "estimator": "causal_forest"]
        for (key, value) in fields { object[key] = Int(value) ?? value }
        if !parameters.isEmpty { object["parameters"] = parameters }
        if !notes.isEmpty { object["notes"] = notes }
        guard
            let text = try? JSONSerialization.data(
                withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        else {
            return "{}"
        }
        return String(decoding: text, as: UTF8.self)
    }
}
