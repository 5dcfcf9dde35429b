import Foundation

extension ConfigurationKey {
    /// What is wrong with a value, in words, or nil when it fits.
    package func problem(with value: String) -> String? {
        switch values {
        case .text, .path:
            return nil
        case .list:
            let items = value.split(separator: ",").filter { !$0.allSatisfy(\.isWhitespace) }
            return items.isEmpty ? "give at least one value; several are separated by commas" : nil
        case .integer(let range):
            guard let number = Int(value) else { return "not a whole number" }
            return range.contains(number) ? nil : "must be \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            guard let number = Double(value), number.isFinite else { return "not a number" }
            return range.contains(number) ? nil : "must be \(range.lowerBound) to \(range.upperBound)"
        case .boolean:
            return ["true", "false"].contains(value) ? nil : "must be true or false"
        case .oneOf(let names):
            return names.contains(value) ? nil : "must be one of \(names.joined(separator: ", "))"
        case .logStore:
            let isKnown =
                value == "none" || (value.hasPrefix("sqlite:") && value.count > 7)
                || value.hasPrefix("postgresql://") || value.hasPrefix("postgres://")
            return isKnown ? nil : "must be sqlite:PATH, postgresql://…, or none"
        case .address:
            let port = value.split(separator: ":").last.flatMap { UInt16($0) }
            return value.contains(":") && port != nil ? nil : "must be HOST:PORT, as 127.0.0.1:8080"
        }
    }
}
