/// Emphasis by ANSI escape codes (ECMA-48 SGR), or nothing where colours are not wanted.
public struct Style: Sendable {
    private let isOn: Bool

    /// - Parameter stream: codes are written only when it is a terminal and `NO_COLOR` is not set.
    public init(_ stream: Terminal.Stream) { isOn = Terminal.hasColour(stream) }
    public init(isOn: Bool) { self.isOn = isOn }

    public func bold(_ text: String) -> String { wrap(text, 1) }
    public func dim(_ text: String) -> String { wrap(text, 2) }
    public func red(_ text: String) -> String { wrap(text, 31) }
    public func green(_ text: String) -> String { wrap(text, 32) }
    public func yellow(_ text: String) -> String { wrap(text, 33) }

    private func wrap(_ text: String, _ code: Int) -> String { isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
}
