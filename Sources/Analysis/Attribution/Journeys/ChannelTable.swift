/// The names of channels and their numbers, in the order in which they were first seen.
package struct ChannelTable: Sendable, Equatable {
    package private(set) var names: [String] = []
    private var numbers: [String: Int32] = [:]

    package init() {}

    package init(_ names: [String]) {
        for name in names { _ = number(of: name) }
    }

    package var count: Int { names.count }

    /// The number of a channel; a name not seen before gets the next one.
    package mutating func number(of name: String) -> Int32 {
        if let known = numbers[name] { return known }
        let number = Int32(names.count)
        names.append(name)
        numbers[name] = number
        return number
    }

    /// The number of a channel that is known.
    package func known(_ name: String) -> Int32? { numbers[name] }

    package subscript(_ number: Int32) -> String { names[Int(number)] }
}
