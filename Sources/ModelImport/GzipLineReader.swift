import Base
import CZlib
import Foundation

/// Reads the lines of a text file, gzipped or plain, one at a time in bounded memory.
///
/// Owns zlib's handle and its buffer.
package final class GzipLineReader {
    let path: String
    /// The number of the line returned last, counted from 1.
    private(set) var lineNumber = 0
    private let handle: gzFile
    private let buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    private var isAtEnd = false

    /// - Parameter lineBytes: a longer line is refused.
    package init(path: String, lineBytes: Int) throws(ImpactError) {
        guard let handle = gzopen(path, "rbe") else {
            throw ImpactError(
                .badInput, code: "import_open", "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        gzbuffer(handle, 1 << 17)
        self.path = path
        self.handle = handle
        buffer = .allocate(byteCount: max(lineBytes + 1, 1 << 17), alignment: 16)
    }

    deinit {
        gzclose_r(handle)
        buffer.deallocate()
    }

    /// The next line without its line break (`\n` or `\r\n`), valid until the next call; nil at the end of the file.
    package func next() throws(ImpactError) -> UnsafeRawBufferPointer? {
        var searched = start
        while true {
            if let feed = buffer[searched..<end].firstIndex(of: 0x0A) {
                defer { start = feed + 1 }
                lineNumber += 1
                return line(start..<feed)
            }
            searched = end
            guard !isAtEnd else {
                guard start < end else { return nil }
                defer { start = end }
                lineNumber += 1
                return line(start..<end)
            }
            searched -= start
            try fill()
        }
    }

    private func line(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        let hasReturn = !range.isEmpty && buffer[range.upperBound - 1] == 0x0D
        return UnsafeRawBufferPointer(rebasing: buffer[range.lowerBound..<range.upperBound - (hasReturn ? 1 : 0)])
    }

    /// Moves the unread bytes to the front and reads more behind them.
    private func fill() throws(ImpactError) {
        if start > 0, let base = buffer.baseAddress {
            memmove(base, base + start, end - start)
            end -= start
            start = 0
        }
        guard end < buffer.count else {
            throw ImpactError(
                .badInput, code: "import_text",
                "\(path), line \(lineNumber + 1): the line is longer than \(buffer.count) bytes")
        }
        let count = gzread(handle, buffer.baseAddress! + end, UInt32(clamping: buffer.count - end))
        if count > 0 {
            end += Int(count)
            return
        }
        var code: Int32 = 0
        let reason = String(cString: gzerror(handle, &code))
        guard count == 0, code == Z_OK || code == Z_STREAM_END else {
            throw ImpactError(
                .badInput, code: "import_truncated",
                "\(path), after line \(lineNumber): the file is damaged or ends too early (\(reason))")
        }
        isAtEnd = true
    }
}
