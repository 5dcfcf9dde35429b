import Features
import Tabular

/// What named raw values are in a model's row: the one place for API, CSV and training, so that the same values give the same
/// bits wherever they come in. (The stream computes the same arithmetic from its state.)
package struct RowValues: Sendable {
    private let model: Model
    private let arithmetic: FeatureArithmetic?
    /// For each feature, whether it follows from others when it is not given.
    package let isDerived: [Bool]
    /// Columns of texts behind features `column=text` of 0 and 1, as `impactiq train` makes them.
    package let textColumns: [TextColumn]

    package struct TextColumn: Sendable {
        package var name: String
        package var members: [(text: [UInt8], feature: Int)]
    }

    package init(_ model: Model) {
        self.model = model
        arithmetic = model.specification.map { FeatureArithmetic($0) }
        var isDerived = [Bool](repeating: false, count: model.featureCount)
        for place in arithmetic?.places ?? [] { isDerived[place] = true }
        self.isDerived = isDerived
        var columns: [TextColumn] = []
        let names = Set(model.featureNames)
        for (feature, name) in model.featureNames.enumerated() {
            guard let equals = name.firstIndex(of: "="), !names.contains(String(name[..<equals])) else { continue }
            let (column, text) = (String(name[..<equals]), Array(name[name.index(after: equals)...].utf8))
            guard let place = columns.firstIndex(where: { $0.name == column }) else {
                columns.append(TextColumn(name: column, members: [(text, feature)]))
                continue
            }
            columns[place].members.append((text, feature))
        }
        textColumns = columns
    }

    /// Gives the features of a column of texts their values: 1 for its own text, 0 for the others; all missing for an empty one.
    package func set(
        _ row: UnsafeMutablePointer<Float>, column: Int, text: UnsafeRawBufferPointer
    ) {
        var (start, end) = (0, text.count)
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while start < end, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        let own = text[start..<end]
        for member in textColumns[column].members {
            row[member.feature] = own.isEmpty ? .nan : own.elementsEqual(member.text) ? 1 : 0
        }
    }

    /// The names of the features that follow from others.
    package var derivable: [String] {
        model.featureNames.indices.filter { isDerived[$0] }.map { model.featureNames[$0] }
    }

    /// Computes what follows from a row's other features and was not given itself: arithmetic, and that who has one text of a
    /// column has no other. A derived feature that was given stays,
    /// also when it was given as missing.
    @inline(__always)
    package func complete(_ row: UnsafeMutablePointer<Float>, isGiven: (Int) -> Bool) {
        // Who has one text of a column has none of the others.
        for column in textColumns where column.members.contains(where: { isGiven($0.feature) && row[$0.feature] == 1 })
        {
            for member in column.members where !isGiven(member.feature) { row[member.feature] = 0 }
        }
        arithmetic?.apply(row, isGiven: isGiven)
    }

    /// The value of a category's text; nil when the feature is a number. Spaces around the text do not count, and an empty one
    /// is missing.
    package func value(feature: Int, text: String) -> Float? {
        guard let categories = model.categories[feature] else { return nil }
        let trimmed = text.trimmingSpaces
        return trimmed.isEmpty ? .nan : categories.code(of: trimmed)
    }

    /// The value of a number that stands for a category: the text that is written so, else its place among the texts, from 0,
    /// where no text is a number; nil when it is neither.
    package func category(feature: Int, number: Double) -> Float? {
        guard let categories = model.categories[feature] else { return nil }
        let whole = Int(exactly: number)
        if let place = categories.place(of: whole.map { "\($0)" } ?? "\(number)") { return Float(place) }
        return whole.flatMap { place in
            let texts = categories.texts
            return texts.indices.contains(place) && !texts.contains { Double($0) != nil } ? Float(place) : nil
        }
    }

    /// What a category may be, for messages.
    package func choices(feature: Int) -> String {
        let levels = model.levels(feature: feature) ?? []
        return levels.prefix(12).map { "\"\($0)\"" }.joined(separator: ", ")
            + (levels.count > 12 ? " and \(levels.count - 12) more" : "")
    }
}
