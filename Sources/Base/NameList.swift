/// Names in a message, of which there may be thousands.
package enum NameList {
    /// The first names, and how many more there are.
    package static func text(_ names: [String], most: Int = 12) -> String {
        let shown = names.prefix(most).joined(separator: ", ")
        return names.count > most ? "\(shown) and \(names.count - most) more" : shown
    }
}
