import Base
import Foundation
import Synchronization

/// What standard output and standard error are attached to.
package enum Terminal {
    /// A stream that text is written to.
    package enum Stream: Int32, Sendable {
        case output = 1
        case error = 2

        /// Whether a person watches: the stream is a terminal that understands cursor movement.
        package var isTerminal: Bool {
            isatty(rawValue) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
        }

        /// Columns and rows of the window; nil when the stream is not a terminal.
        package var windowSize: (columns: Int, rows: Int)? {
            var size = winsize()
            guard ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
            return (Int(size.ws_col), Int(size.ws_row))
        }

        /// What was not written to standard output, as `errno`; 0 while all was.
        private static let problem = Atomic<Int32>(0)

        /// At the end of a command: what it printed must have arrived.
        ///
        /// - Throws: `file_failed` for a full disk or a reader that is gone.
        package func check() throws(ImpactError) {
            let problem = Self.problem.exchange(0, ordering: .relaxed)
            guard self == .output, problem != 0 else { return }
            throw ImpactError(
                .failed, code: "file_failed", "cannot write standard output: \(String(cString: strerror(problem)))")
        }

        /// Writes all bytes. False when the reader is gone or the disk is full; ``check()`` tells it at the end.
        @discardableResult
        package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
            var rest = bytes
            while !rest.isEmpty {
                let written = Foundation.write(rawValue, rest.baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    if self == .output { Self.problem.store(errno, ordering: .relaxed) }
                    return false
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
            return true
        }

        /// Writes text, lines and all, in which names, keys or paths may stand that others chose: what could move the
        /// cursor or forge a line is escaped.
        @discardableResult
        package func write(_ text: String) -> Bool { writeRaw(text.printable(keepsLines: true)) }

        /// Writes text that moves the cursor, or that another program reads.
        @discardableResult
        package func writeRaw(_ text: String) -> Bool {
            var text = text
            return text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
        }
    }

    /// Whether colours may be used on the stream: a terminal, and `NO_COLOR` (no-color.org) is not set.
    package static func hasColour(_ stream: Stream) -> Bool {
        let refused = ProcessInfo.processInfo.environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        return stream.isTerminal && !refused
    }

    /// Columns for help and prose: the window's, from 60 to 100; 80 when there is no window.
    package static var helpWidth: Int { min(max(Stream.output.windowSize?.columns ?? 80, 60), 100) }
}
