import Foundation
import Synchronization

/// The process's log: one line an entry on standard error, `time level component: message`.
///
/// Never called per event; rare things only. `IMPACTIQ_LOG` sets the least level shown
/// (`debug`, `info`, `warning`, `error`, `off`); the default is `info`.
public enum Log {
    /// How much an entry matters.
    public enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error, off

        public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }

        init?(name: String) {
            guard let level = Level.allCases.first(where: { "\($0)" == name }) else { return nil }
            self = level
        }
    }

    /// How a line is written.
    public enum Format: String, Sendable, CaseIterable {
        /// For people: `time level component: message`.
        case text
        /// `time=… level=… component=… msg="…"`.
        case logfmt
        /// One JSON object a line.
        case json
    }

    private static let format = Atomic<Int>(0)

    public static func setFormat(_ new: Format) {
        format.store(Format.allCases.firstIndex(of: new) ?? 0, ordering: .relaxed)
    }

    private static let threshold = Atomic<Int>(
        (ProcessInfo.processInfo.environment["IMPACTIQ_LOG"].flatMap(Level.init(name:)) ?? .info).rawValue)

    /// Changes the least level shown; for commands that draw on the terminal and for tests.
    public static func setLevel(_ level: Level) { threshold.store(level.rawValue, ordering: .relaxed) }

    public static func debug(_ component: String, _ message: @autoclosure () -> String) {
        write(.debug, component, message)
    }
    public static func info(_ component: String, _ message: @autoclosure () -> String) {
        write(.info, component, message)
    }
    public static func warning(_ component: String, _ message: @autoclosure () -> String) {
        write(.warning, component, message)
    }
    public static func error(_ component: String, _ message: @autoclosure () -> String) {
        write(.error, component, message)
    }

    private static func write(_ level: Level, _ component: String, _ message: () -> String) {
        guard level.rawValue >= threshold.load(ordering: .relaxed) else { return }
        let time = Date().formatted(.iso8601.time(includingFractionalSeconds: true))
        // Not FileHandle, which ends the process when the log's disk is full or its reader is gone: then the line is lost.
        var line = Self.line(time, level, component, Secrets.masked(message: message()))
        _ = line.withUTF8 { Foundation.write(2, $0.baseAddress, $0.count) }
    }

    /// A key or a name in the message must not forge a line: what follows a line feed is indented, or escaped.
    static func line(
        _ time: String, _ level: Level, _ component: String, _ message: String,
        as format: Format = Format.allCases[format.load(ordering: .relaxed)]
    ) -> String {
        switch format {
        case .text:
            "\(time) \(level) \(component): \(message.printable(keepsLines: true).replacing("\n", with: "\n    "))\n"
        case .logfmt: "time=\(time) level=\(level) component=\(component) msg=\(quoted(message))\n"
        case .json:
            "{\"time\":\"\(time)\",\"level\":\"\(level)\",\"component\":\(quoted(component)),\"message\":\(quoted(message))}\n"
        }
    }

    /// The text as a JSON string, which logfmt's readers take too.
    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\u{00}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
