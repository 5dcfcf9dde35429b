import Base

/// Brings together the names in a forest's file and those that were asked for.
struct ImportNames {
    let file: String

    static func numbered(_ letter: String, _ count: Int) -> [String] { (0..<count).map { "\(letter)\($0)" } }

    func fault(_ what: String) -> ImpactError {
        ImpactError(.badInput, code: "import_features", "\(file): \(what)")
    }

    /// The features of the model. Rows carry no names, so that another order would give wrong scores in silence.
    func features(file names: [String]?, requested: [String]?) throws(ImpactError) -> [String] {
        guard let requested else {
            guard let names else {
                throw fault("the file does not name its features; give a feature specification (--features)")
            }
            return names
        }
        guard let names, names != requested else { return requested }
        let absent = names.filter { !requested.contains($0) }
        let foreign = requested.filter { !names.contains($0) }
        var differences: [String] = []
        if !absent.isEmpty { differences.append("the specification lacks \(list(absent))") }
        if !foreign.isEmpty { differences.append("the forest has no \(list(foreign))") }
        if differences.isEmpty, let index = zip(names, requested).enumerated().first(where: { $1.0 != $1.1 }) {
            differences.append(
                "the order differs: feature \(index.offset + 1) of the forest is \(index.element.0), of the "
                    + "specification \(index.element.1)")
        }
        throw fault(
            "the forest was fitted on \(names.count) features that are not the \(requested.count) of the "
                + "specification: \(differences.joined(separator: "; ")). List the specification's features as the "
                + "forest's: \(list(names, 40))")
    }

    func treatments(file names: [String], requested: [String]?) throws(ImpactError) -> [String] {
        guard let requested else { return names }
        guard requested.count == names.count else {
            throw ImpactError(
                .badInput, code: "import_treatments",
                "\(file): \(requested.count) treatment names were given (\(list(requested))), but the forest has "
                    + "\(names.count) treatments: \(list(names))")
        }
        return requested
    }

    /// The names of the model's outcomes, and which of the file's they are.
    func outcomes(file names: [String], requested: [String]?) throws(ImpactError) -> ([String], chosen: [Int]) {
        guard let requested else { return (names, Array(names.indices)) }
        let chosen = requested.compactMap { names.firstIndex(of: $0) }
        if chosen.count == requested.count { return (requested, chosen) }
        guard requested.count == names.count else {
            throw ImpactError(
                .badInput, code: "import_outcomes",
                "\(file): the outcome \(list(requested.filter { !names.contains($0) })) is not in it; it has "
                    + list(names))
        }
        return (requested, Array(names.indices))
    }

    private func list(_ names: [String], _ most: Int = 12) -> String {
        let shown = names.prefix(most).joined(separator: ", ")
        return names.count > most ? "\(shown) and \(names.count - most) more" : shown
    }
}
