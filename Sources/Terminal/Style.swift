/// Emphasis by ANSI escape codes (ECMA-48 SGR), or nothing where colours are not wanted.
package struct Style: Sendable {
    private let isOn: Bool

    /// - Parameter stream: codes are written only when it is a terminal and `NO_COLOR` is not set.
    package init(_ stream: Terminal.Stream) { isOn = Terminal.hasColour(stream) }
    package init(isOn: Bool) { self.isOn = isOn }

    package func bold(_ text: String) -> String { wrap(text, 1) }
    package func dim(_ text: String) -> String { wrap(text, 2) }
    package func red(_ text: String) -> String { wrap(text, 31) }
    package func green(_ text: String) -> String { wrap(text, 32) }
    package func yellow(_ text: String) -> String { wrap(text, 33) }

    private func wrap(_ text: String, _ code: Int) -> String { isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
}
