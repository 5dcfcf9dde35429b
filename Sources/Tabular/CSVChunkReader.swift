import Base
import CNumeric
import Foundation

/// Reads a CSV, plain or compressed (gzip, zstd), in chunks of whole records. One thread at a time.
package final class CSVChunkReader {
    /// What a worker gets: whole records, or the start of one that does not end within the limit.
    package struct Chunk {
        /// Chunks count from 0.
        package var number: Int
        package var firstLine: Int
        /// Bytes of `buffer` that are in use.
        package var bytes: Int
        /// The last record is cut off: the file ends inside quotes or the record is too long.
        package var isBroken: Bool
    }

    package let name: String
    /// nil for a pipe and for a compressed file.
    package let totalBytes: Int?
    /// The line of the next byte.
    package private(set) var line = 1
    /// Bytes handed out.
    package private(set) var position = 0
    private let descriptor: Int32
    private let closes: Bool
    /// Decompresses; nil for plain bytes, which go straight into the caller's buffer.
    private let stream: (any ByteStream)?
    private var number = 0
    private var isAtEnd = false
    /// Read, but not handed out: the record that the last chunk broke off.
    private var rest: [UInt8] = []

    /// - Parameter path: `-` is standard input.
    package init(path: String) throws(ImpactError) {
        if path == "-" {
            name = "standard input"
            descriptor = 0
            closes = false
        } else {
            name = path
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            closes = true
            guard descriptor >= 0 else {
                throw ImpactError(
                    .badInput, code: "csv_open", "cannot open \(path): \(String(cString: strerror(errno)))")
            }
        }
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            if closes { close(descriptor) }
            throw ImpactError(.badInput, code: "csv_open", "\(path) is a folder, not a CSV")
        }
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        let isCompressed = isFile && path != "-" && ByteStreams.kind(descriptor) != .plain
        totalBytes = isFile && !isCompressed ? Int(status.st_size) : nil
        stream = isCompressed ? try ByteStreams.open(path) : nil
    }

    deinit { if closes { close(descriptor) } }

    /// Fills `buffer` (its capacity bounds a record) with the next records; nil at the end.
    package func next(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Chunk? {
        var filled = rest.count
        buffer.copyBytes(from: rest)
        rest.removeAll(keepingCapacity: true)
        while !isAtEnd, filled < buffer.count {
            let count = try readSome(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            if count == 0 { isAtEnd = true }
            filled += count
        }
        guard filled > 0 else { return nil }
        let text = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
        let (end, isOpen) = Self.lastRecordEnd(text)
        // The last record of a file needs no line break, but its quotes must be closed.
        let isBroken = isAtEnd ? isOpen : end == 0
        let used = isAtEnd || isBroken ? filled : end
        rest.append(contentsOf: text[used...])
        defer {
            number += 1
            position += used
            line += cnumeric_count_byte(text.baseAddress, used, UInt8(ascii: "\n"))
        }
        return Chunk(number: number, firstLine: line, bytes: used, isBroken: isBroken)
    }

    private func readSome(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Int {
        if let stream {
            do throws(ImpactError) { return try stream.read(into: buffer) } catch {
                throw ImpactError(error.kind, code: error.code, "\(name), after line \(line): \(error.message)")
            }
        }
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else {
                throw ImpactError(.failed, code: "csv_read", "cannot read \(name): \(String(cString: strerror(errno)))")
            }
        }
    }

    /// Takes the bytes that follow the header, of a chunk read before all others.
    package func putBack(_ bytes: UnsafeRawBufferPointer, line: Int) {
        rest.insert(contentsOf: bytes, at: 0)
        position -= bytes.count
        self.line = line
        number = 0
    }

    /// The byte after the last line break that is outside quotes (0: none), and whether the text ends inside quotes.
    static func lastRecordEnd(_ text: UnsafeRawBufferPointer) -> (end: Int, isOpen: Bool) {
        // Mostly no quote stands anywhere.
        guard let base = text.baseAddress, memchr(base, Int32(UInt8(ascii: "\"")), text.count) != nil else {
            return ((text.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1, false)
        }
        var end = 0
        var isOpen = false
        for at in 0..<text.count {
            let byte = text[at]
            if byte == UInt8(ascii: "\"") {
                isOpen.toggle()
            } else if byte == UInt8(ascii: "\n"), !isOpen {
                end = at + 1
            }
        }
        return (end, isOpen)
    }
}
