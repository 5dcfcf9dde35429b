import Foundation
import Synchronization

/// The process's log: one line an entry on standard error, `time level component: message`.
///
/// Never called per event; rare things only. `IMPACTIQ_LOG` sets the least level shown
/// (`debug`, `info`, `warning`, `error`, `off`); the default is `info`.
package enum Log {
    /// How much an entry matters.
    package enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error, off

        package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }

        init?(name: String) {
            guard let level = Level.allCases.first(where: { "\($0)" == name }) else { return nil }
            self = level
        }
    }

    private static let threshold = Atomic<Int>(
        (ProcessInfo.processInfo.environment["IMPACTIQ_LOG"].flatMap(Level.init(name:)) ?? .info).rawValue)

    /// Changes the least level shown; for commands that draw on the terminal and for tests.
    package static func setLevel(_ level: Level) { threshold.store(level.rawValue, ordering: .relaxed) }

    package static func debug(_ component: String, _ message: @autoclosure () -> String) {
        write(.debug, component, message)
    }
    package static func info(_ component: String, _ message: @autoclosure () -> String) {
        write(.info, component, message)
    }
    package static func warning(_ component: String, _ message: @autoclosure () -> String) {
        write(.warning, component, message)
    }
    package static func error(_ component: String, _ message: @autoclosure () -> String) {
        write(.error, component, message)
    }

    private static func write(_ level: Level, _ component: String, _ message: () -> String) {
        guard level.rawValue >= threshold.load(ordering: .relaxed) else { return }
        let time = Date().formatted(.iso8601.time(includingFractionalSeconds: true))
        // Not FileHandle, which ends the process when the log's disk is full or its reader is gone: then the line is lost.
        // A key or a name in the message must not forge a line: what follows a line feed is indented.
        let text = message().printable(keepsLines: true).replacing("\n", with: "\n    ")
        var line = "\(time) \(level) \(component): \(text)\n"
        _ = line.withUTF8 { Foundation.write(2, $0.baseAddress, $0.count) }
    }
}
