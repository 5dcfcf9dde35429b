import Base

/// Streams one array of an .npz archive, some elements at a time, whatever its size.
///
/// Memory grows with what was read, never with what a header claims.
package final class NumpyArrayReader {
    let name: String
    package let header: NumpyHeader
    private let archive: ZipArchive
    private let entry: ZipEntryReader
    /// Elements not read yet.
    private(set) var remaining: Int
    /// A piece of the array; owned, freed in `deinit`.
    private let scratch: UnsafeMutableRawBufferPointer

    /// Opens the array `name`; throws when it is absent or its header is not one that can be read.
    package init(_ archive: ZipArchive, _ name: String) throws(ImpactError) {
        self.archive = archive
        self.name = name
        guard let size = try archive.size(of: name + ".npy") else {
            throw ImpactError(
                .badInput, code: "import_missing_array",
                "\(archive.path): the array \(name) is missing; export the forest with exporters/econml_export.py")
        }
        entry = try ZipEntryReader(archive, entry: name + ".npy")
        var headerBytes = 0
        do {
            (header, headerBytes) = try Self.readHeader(entry)
        } catch let error as NumpyHeader.Refusal {
            throw Self.refusal(archive, name, error.reason)
        } catch let error as ImpactError {
            throw error
        } catch {
            throw Self.refusal(archive, name, "\(error)")
        }
        remaining = header.count
        // Last: an initialiser that throws before has no deinit.
        scratch = .allocate(byteCount: 1 << 16, alignment: 8)
        guard size == headerBytes + header.count * header.element.size else {
            throw Self.refusal(
                archive, name,
                "it has \(size - headerBytes) bytes of data, but its shape \(header.shape) needs "
                    + "\(header.count * header.element.size)")
        }
    }

    deinit { scratch.deallocate() }

    private static func readHeader(_ entry: ZipEntryReader) throws -> (NumpyHeader, bytes: Int) {
        func read(_ count: Int) throws -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            try bytes.withUnsafeMutableBytes { try entry.read(into: $0) }
            return bytes
        }
        let fixed = try read(NumpyHeader.fixedBytes)
        guard fixed.starts(with: NumpyHeader.magic) else { throw NumpyHeader.Refusal(reason: "it is no .npy array") }
        let more = try read(NumpyHeader.lengthBytes(version: fixed[6]))
        let length = (fixed[8...] + more).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        guard length <= NumpyHeader.maximumBytes else {
            throw NumpyHeader.Refusal(reason: "its header is \(length) bytes long")
        }
        let header = try NumpyHeader(dictionary: try read(length))
        return (header, NumpyHeader.fixedBytes + more.count + length)
    }

    private static func refusal(_ archive: ZipArchive, _ name: String, _ reason: String) -> ImpactError {
        ImpactError(.badInput, code: "import_array", "\(archive.path): array \(name): \(reason)")
    }

    /// An error about this array.
    func refusal(_ reason: String) -> ImpactError { Self.refusal(archive, name, reason) }

    func require(shape: [Int], elements: [NumpyHeader.Element]) throws(ImpactError) {
        guard header.shape == shape else {
            throw refusal("its shape is \(header.shape), expected \(shape)")
        }
        guard elements.contains(header.element) else {
            throw refusal(
                "its type is \(header.element.rawValue), expected "
                    + elements.map(\.rawValue).joined(separator: " or "))
        }
    }

    /// Hands the next `count` elements to `body` in pieces of whole elements.
    private func read(
        _ count: Int, _ body: (UnsafeRawBufferPointer) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        guard count <= remaining else { throw refusal("it has \(remaining) elements left, \(count) are needed") }
        remaining -= count
        var bytes = count * header.element.size
        while bytes > 0 {
            let piece = min(bytes, scratch.count)
            let part = UnsafeMutableRawBufferPointer(rebasing: scratch[..<piece])
            try entry.read(into: part)
            try body(UnsafeRawBufferPointer(part))
            bytes -= piece
        }
    }

    /// The next `count` elements of an integer array. `at` turns the number of an element into its place in words.
    func integers(_ count: Int, at place: (Int) -> String = { "element \($0)" }) throws(ImpactError) -> [Int32] {
        var values: [Int32] = []
        let wide = header.element == .int64
        try read(count) { (bytes) throws(ImpactError) in
            for offset in stride(from: 0, to: bytes.count, by: wide ? 8 : 4) {
                let value =
                    wide
                    ? Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
                    : Int64(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
                guard let small = Int32(exactly: value) else {
                    throw refusal("\(place(values.count)) is \(value), which is out of range")
                }
                values.append(small)
            }
        }
        return values
    }

    /// The next `count` elements of an integer array of any size.
    func wideIntegers(_ count: Int) throws(ImpactError) -> [Int] {
        var values: [Int] = []
        let wide = header.element == .int64
        try read(count) { (bytes) throws(ImpactError) in
            for offset in stride(from: 0, to: bytes.count, by: wide ? 8 : 4) {
                values.append(
                    wide
                        ? Int(Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self)))
                        : Int(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))))
            }
        }
        return values
    }

    /// Appends the next `count` elements of a float array to `values`.
    package func doubles(_ count: Int, into values: inout [Double]) throws(ImpactError) {
        let wide = header.element == .float64
        var result = consume values
        values = []
        try read(count) { (bytes) throws(ImpactError) in
            for offset in stride(from: 0, to: bytes.count, by: wide ? 8 : 4) {
                result.append(
                    wide
                        ? Double(bitPattern: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian)
                        : Double(
                            Float(bitPattern: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self).littleEndian)
                        ))
            }
        }
        values = result
    }

    /// The next `count` elements of a byte array.
    func bytes(_ count: Int) throws(ImpactError) -> [UInt8] {
        var values: [UInt8] = []
        try read(count) { (bytes) throws(ImpactError) in values.append(contentsOf: bytes) }
        return values
    }

    /// After the last element: the checksum of the entry.
    package func finish() throws(ImpactError) {
        guard remaining == 0 else { throw refusal("\(remaining) elements follow the last tree") }
        try entry.expectEnd()
    }
}
