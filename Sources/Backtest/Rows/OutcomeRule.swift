import Base

/// How events after an assignment become an outcome of its row.
package struct OutcomeRule: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// 1 when there is any event of the types, else 0.
        case any
        /// How many there are.
        case count
        /// The sum of their `value`, less that of the types behind a minus.
        case sum
    }

    package var name: String
    package var kind: Kind
    package var types: [String]
    /// Types whose values are subtracted; of `sum` only.
    package var subtracted: [String]

    package init(_ name: String, _ kind: Kind, _ types: [String], subtracting: [String] = []) {
        self.name = name
        self.kind = kind
        self.types = types
        subtracted = subtracting
    }

    /// The outcomes of the contract: a purchase is a conversion, values are summed less refunds, a click is a visit.
    package static let usual = [
        OutcomeRule("conversion", .any, ["purchase"]),
        OutcomeRule("value", .sum, ["purchase"], subtracting: ["refund"]),
        OutcomeRule("visit", .any, ["click"]),
    ]

    /// Reads `NAME=any:TYPE+TYPE`, `NAME=count:TYPE`, `NAME=sum:TYPE+TYPE-TYPE`.
    ///
    /// - Throws: `.usage` saying what is expected.
    package init(_ text: String) throws(ImpactError) {
        let wrong = ImpactError(
            .usage, code: "invalid_outcome",
            "'\(text)' is not an outcome: expected NAME=any:TYPES, NAME=count:TYPES or NAME=sum:TYPES-TYPES, with + between "
                + "types, as visit=any:click or value=sum:purchase-refund")
        guard let equals = text.firstIndex(of: "="), let colon = text[equals...].firstIndex(of: ":") else {
            throw wrong
        }
        let name = String(text[..<equals])
        guard !name.isEmpty, let kind = Kind(rawValue: String(text[text.index(after: equals)..<colon])) else {
            throw wrong
        }
        var types: [String] = [], subtracted: [String] = []
        var isMinus = false
        var word = ""
        func finish() throws(ImpactError) {
            guard !word.isEmpty else { throw wrong }
            if isMinus { subtracted.append(word) } else { types.append(word) }
            word = ""
        }
        for character in text[text.index(after: colon)...] {
            if character == "+" || character == "-" {
                try finish()
                isMinus = character == "-"
            } else {
                word.append(character)
            }
        }
        try finish()
        guard kind == .sum || subtracted.isEmpty else { throw wrong }
        self.init(name, kind, types, subtracting: subtracted)
    }

    /// The rule in words, as it is read.
    package var text: String {
        "\(name)=\(kind.rawValue):" + types.joined(separator: "+") + subtracted.map { "-\($0)" }.joined()
    }
}
