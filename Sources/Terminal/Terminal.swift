import Foundation

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

        /// Columns and rows of the window; nil when the stream is no terminal.
        package var windowSize: (columns: Int, rows: Int)? {
            var size = winsize()
            guard ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
            return (Int(size.ws_col), Int(size.ws_row))
        }

        /// Writes all bytes. False when the reader is gone or the disk is full; the caller decides what that means.
        @discardableResult
        package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
            var rest = bytes
            while !rest.isEmpty {
                let written = Foundation.write(rawValue, rest.baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
            return true
        }

        @discardableResult
        package func write(_ text: String) -> Bool {
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
