import Foundation

/// A configuration key, declared once: its name, default, parser and one line of help.
///
/// Keys are the stored properties of a ``SettingGroup``; a value is read as `configuration.workers`.
package struct SettingKey<Value: Sendable>: AnySettingKey {
    package let name: String
    /// As it would be written in a file; empty when the key has no default.
    package let defaultText: String
    package let summary: String
    package let defaultValue: Value
    private let parser: @Sendable (String) throws(SettingProblem) -> Value

    /// - Parameters:
    ///   - defaultText: must be one that the parser takes.
    ///   - summary: one line for `impactiq config` and the documentation.
    package init(
        _ name: String, _ defaultText: String, _ summary: String,
        parse: @escaping @Sendable (String) throws(SettingProblem) -> Value
    ) {
        self.name = name
        self.defaultText = defaultText
        self.summary = summary
        parser = parse
        do throws(SettingProblem) {
            defaultValue = try parse(defaultText)
        } catch {
            preconditionFailure("the default of \(name) is unfit: \(error.words)")
        }
    }

    package func parse(_ text: String) throws(SettingProblem) -> Value { try parser(text) }
    package func parseAny(_ text: String) throws(SettingProblem) -> any Sendable { try parser(text) }
}

/// What is wrong with a value, in words that follow "KEY=VALUE: ".
package struct SettingProblem: Error, Sendable, Equatable {
    package var words: String

    package init(_ words: String) { self.words = words }
}

/// A key of whatever type.
package protocol AnySettingKey: Sendable {
    var name: String { get }
    var defaultText: String { get }
    var summary: String { get }
    func parseAny(_ text: String) throws(SettingProblem) -> any Sendable
}

extension AnySettingKey {
    /// The environment variable that sets the key: `IMPACTIQ_` and the name in upper case, dots as underscores.
    package var environmentVariable: String { Configuration.environmentVariable(for: name) }
}

/// The keys of one module: every stored property is a key, in the order in which `impactiq config` prints them.
///
/// A module that adds keys also adds a `subscript(dynamicMember:)` to ``Configuration``, as ``ApplicationSettings`` does,
/// and the commands list the group in `ProductSettings`.
package protocol SettingGroup: Sendable {
    init()
}

extension SettingGroup {
    package var keys: [any AnySettingKey] {
        Mirror(reflecting: self).children.compactMap { $0.value as? any AnySettingKey }
    }
}

// MARK: Kinds of values

extension SettingKey where Value == String {
    /// Any text.
    package static func text(_ name: String, _ defaultText: String, _ summary: String) -> Self {
        Self(name, defaultText, summary) { (text) throws(SettingProblem) in text }
    }
}

extension SettingKey where Value == [String] {
    /// One or more texts with commas between.
    package static func list(_ name: String, _ defaultText: String, _ summary: String) -> Self {
        Self(name, defaultText, summary) { (text) throws(SettingProblem) in
            let items = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter {
                !$0.isEmpty
            }
            if items.isEmpty { throw SettingProblem("give at least one value; several are separated by commas") }
            return items
        }
    }
}

extension SettingKey where Value == Int {
    package static func integer(
        _ name: String, _ defaultValue: Int, _ range: ClosedRange<Int>, _ summary: String
    ) -> Self {
        Self(name, String(defaultValue), summary) { (text) throws(SettingProblem) in
            guard let number = Int(text) else { throw SettingProblem("not a whole number") }
            guard range.contains(number) else {
                throw SettingProblem("must be \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }
}

extension SettingKey where Value == Double {
    package static func number(
        _ name: String, _ defaultText: String, _ range: ClosedRange<Double>, _ summary: String
    ) -> Self {
        Self(name, defaultText, summary) { (text) throws(SettingProblem) in
            guard let number = Double(text), number.isFinite else { throw SettingProblem("not a number") }
            guard range.contains(number) else {
                throw SettingProblem("must be \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }
}

extension SettingKey where Value == Bool {
    package static func boolean(_ name: String, _ defaultValue: Bool, _ summary: String) -> Self {
        Self(name, defaultValue ? "true" : "false", summary) { (text) throws(SettingProblem) in
            guard ["true", "false"].contains(text) else { throw SettingProblem("must be true or false") }
            return text == "true"
        }
    }

    /// A choice of two words, of which one means true.
    package static func choice(
        _ name: String, _ defaultText: String, true isTrue: String, false isFalse: String, _ summary: String
    ) -> Self {
        Self(name, defaultText, summary) { (text) throws(SettingProblem) in
            guard [isTrue, isFalse].contains(text) else {
                // The default first, as the documentation lists them.
                let other = defaultText == isTrue ? isFalse : isTrue
                throw SettingProblem("must be one of \(defaultText), \(other)")
            }
            return text == isTrue
        }
    }
}

extension SettingKey where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the raw values of an enumeration.
    package static func oneOf(_ name: String, _ defaultValue: Value, _ summary: String) -> Self {
        Self(name, defaultValue.rawValue, summary) { (text) throws(SettingProblem) in
            guard let value = Value(rawValue: text) else {
                throw SettingProblem("must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return value
        }
    }
}
