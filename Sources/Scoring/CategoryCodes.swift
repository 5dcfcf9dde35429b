/// The texts of a feature that is a category and the number that each stands for, found by hash: made once a model, since a
/// category may have thousands of texts and every row asks.
package struct CategoryCodes: Sendable {
    /// In the order of their codes.
    package let texts: [String]
    private let places: [String: Int]

    package init(_ texts: [String]) {
        self.texts = texts
        places = Dictionary(zip(texts, texts.indices), uniquingKeysWith: { first, _ in first })
    }

    /// Where a text stands; nil when it is none of them.
    package func place(of text: String) -> Int? { places[text] }

    /// A text's value in a row; whatever is unknown has the code after the last.
    package func code(of text: String) -> Float { Float(places[text] ?? texts.count) }
}
