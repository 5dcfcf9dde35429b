import Base
import Foundation

/// A Java-style `.properties` text, as Kafka's own files are: `key=value` or `key: value`, `#` and `!` comments,
/// a backslash at the end of a line joins the next one.
package enum PropertiesFile {
    package struct Property: Equatable {
        package var key: String
        package var value: String
        package var line: Int
    }

    private static let blank = CharacterSet.whitespaces.union(.controlCharacters)

    package static func parse(_ text: String, path: String) throws(ImpactError) -> [Property] {
        var properties: [Property] = []
        var pending: (text: String, line: Int)?
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = raw.trimmingCharacters(in: blank)
            if pending == nil, line.isEmpty || line.hasPrefix("#") || line.hasPrefix("!") { continue }
            var joined = pending ?? ("", index + 1)
            joined.text += line
            if joined.text.hasSuffix("\\") {
                joined.text.removeLast()
                pending = joined
                continue
            }
            pending = nil
            properties.append(try property(joined.text, path: path, line: joined.line))
        }
        if let pending { properties.append(try property(pending.text, path: path, line: pending.line)) }
        return properties
    }

    private static func property(_ text: String, path: String, line: Int) throws(ImpactError) -> Property {
        guard let separator = text.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
            throw ImpactError(
                .badConfiguration, code: "bad_line", "\(path):\(line): not a property; write key=value")
        }
        return Property(
            key: text[..<separator].trimmingCharacters(in: .whitespaces),
            value: text[text.index(after: separator)...].trimmingCharacters(in: .whitespaces), line: line)
    }
}
