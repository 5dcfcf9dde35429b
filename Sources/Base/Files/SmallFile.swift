import Foundation

/// A file that is read whole: configurations, specifications, keys.
public enum SmallFile {
    /// Reads a file, or a pipe to its end.
    ///
    /// - Parameter limit: more bytes are refused; a path may name what has no end, as `/dev/zero`.
    /// - Throws: `file_not_readable`, `file_too_large`.
    public static func read(_ path: String, limit: Int = 16 << 20) throws(ImpactError) -> [UInt8] {
        let file = try OpenFile(reading: path)
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try file.read(into: buffer)
            if count == 0 { return bytes }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            guard bytes.count <= limit else {
                throw ImpactError(
                    .badInput, code: "file_too_large", "\(path) has more than \(limit) bytes: is it the right file?")
            }
        }
    }
}
