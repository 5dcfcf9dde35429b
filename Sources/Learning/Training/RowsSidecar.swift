import Features
import Foundation

/// What `impactiq rows` says of its rows in the file beside them.
struct RowsSidecar {
    var outcomes: [String]
    var specification: FeatureSpecification?

    static func read(beside path: String) -> RowsSidecar? {
        guard let data = FileManager.default.contents(atPath: path + ".json"),
            let object = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any],
            object["specification_sha256"] is String
        else { return nil }
        let rules = object["outcomes"] as? [String] ?? []
        let text = object["specification"] as? String ?? ""
        return RowsSidecar(
            outcomes: rules.map { String($0.prefix { $0 != "=" }) },
            specification: text.isEmpty ? nil : try? FeatureSpecification(json: Array(text.utf8)))
    }
}
