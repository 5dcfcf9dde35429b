import Base
import Foundation
import Tabular

/// Cuts a file into lines, in bounded memory.
package final class LineReader {
    private let path: String
    private let stream: any ByteStream
    private var buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    private var isAtEnd = false
    private var line = 0
    /// A longer line is an error of the file: no event may be that long.
    private static let longestLine = 64 << 20

    /// - Parameter path: `-` is standard input.
    /// - Throws: `file_not_readable`.
    package init(path: String, isStopped: @escaping () -> Bool = { false }) throws(ImpactError) {
        self.path = path == "-" ? "standard input" : path
        stream = try ByteStreams.open(path, isStopped: isStopped)
        buffer = .allocate(byteCount: 1 << 20, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// The next line without its line break (`\n` or `\r\n`), good until the next call; nil at the end.
    ///
    /// - Throws: `file_damaged` naming the line after which the file cannot be read.
    package func next() throws(ImpactError) -> UnsafeRawBufferPointer? {
        var searched = start
        while true {
            if let feed = find(from: searched) {
                defer { start = feed + 1 }
                return cut(feed)
            }
            searched = end
            guard !isAtEnd else {
                guard start < end else { return nil }
                defer { start = end }
                return cut(end)
            }
            searched -= start
            try fill()
        }
    }

    private func find(from: Int) -> Int? {
        guard from < end, let base = buffer.baseAddress, let found = memchr(base + from, 0x0A, end - from) else {
            return nil
        }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    private func cut(_ stop: Int) -> UnsafeRawBufferPointer {
        line += 1
        // Some editors and exports begin a UTF-8 file with a byte-order mark, which is not part of its first line.
        if line == 1, stop - start >= 3, buffer[start] == 0xEF, buffer[start + 1] == 0xBB, buffer[start + 2] == 0xBF {
            start += 3
        }
        let hasReturn = stop > start && buffer[stop - 1] == 0x0D
        return UnsafeRawBufferPointer(rebasing: buffer[start..<stop - (hasReturn ? 1 : 0)])
    }

    /// Moves what is left to the front and reads behind it; a line longer than the buffer doubles it.
    private func fill() throws(ImpactError) {
        if start > 0, let base = buffer.baseAddress {
            memmove(base, base + start, end - start)
            end -= start
            start = 0
        }
        if end == buffer.count {
            guard end < Self.longestLine else {
                throw ImpactError(
                    .badInput, code: "file_line", "\(path), line \(line + 1): longer than \(Self.longestLine) bytes")
            }
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<end]))
            buffer.deallocate()
            buffer = larger
        }
        do throws(ImpactError) {
            let count = try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
            if count == 0 { isAtEnd = true }
            end += count
        } catch {
            throw ImpactError(error.kind, code: error.code, "\(path), after line \(line): \(error.message)")
        }
    }
}
