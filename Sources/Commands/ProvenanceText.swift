import Base
import Events
import JSON
import Scoring
import Terminal

/// Where a model comes from, as a person reads it: a line a fact, lists of settings left to `--json`.
enum ProvenanceText {
    /// - Returns: lines for `model inspect`, the first with its label.
    static func lines(_ model: Model) -> [String] {
        let bytes = Array(model.provenance.utf8)
        guard let members = (try? JSONValue(parsing: bytes, name: "provenance"))?.members, !members.isEmpty else {
            return ["provenance  not told"]
        }
        let facts = members.flatMap { member -> [String] in
            if let nested = member.value.members {
                let simple = nested.compactMap { fact($0.name, $0.value) }
                // What was fitted with is of use to a machine; a dozen settings are no help to a reader.
                return nested.count > 8 ? ["\(member.name): \(nested.count) settings, in --json"] : simple
            }
            return fact(member.name, member.value).map { [$0] } ?? []
        }
        return facts.enumerated().map { ($0 == 0 ? "provenance  " : "            ") + $1 }
    }

    private static func fact(_ name: String, _ value: JSONValue) -> String? {
        let words = name.split(separator: "_").joined(separator: " ")
        if let text = value.string { return "\(words): \(text)" }
        if let number = value.number {
            let isWhole = number == number.rounded() && abs(number) < 1e15
            return "\(words): \(isWhole ? HumanNumber.grouped(Int(saturating: number)) : "\(number)")"
        }
        if let flag = value.bool { return "\(words): \(flag ? "yes" : "no")" }
        // Lists of objects (nuisances, held-out metrics) are for machines.
        guard let items = value.array, items.isEmpty || items.contains(where: { $0.string != nil }) else { return nil }
        return "\(words): \(items.compactMap(\.string).joined(separator: ", "))"
    }
}
