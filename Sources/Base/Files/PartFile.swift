import Foundation

/// A file that one thread appends to through a buffer, and that a later try goes on with from a length it knows.
///
/// For the owner alone; not opened through a symbolic link.
public final class PartFile {
    public let path: String
    private let file: OpenFile
    private let buffer = ByteBuffer(capacity: 1 << 20)
    private static let flushBytes = 1 << 19
    public private(set) var length: Int

    /// - Parameter length: what is kept of the file as it is; the rest is cut off.
    /// - Throws: `checkpoint_mismatch` for a file that is shorter.
    public init(_ path: String, keeping length: Int) throws(ImpactError) {
        self.path = path
        self.length = length
        let descriptor = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OpenFile.failure("write", path) }
        file = OpenFile(descriptor, path: path)
        var status = stat()
        guard length >= 0, fstat(descriptor, &status) == 0, Int(status.st_size) >= length else {
            throw ImpactError(
                .failed, code: "checkpoint_mismatch",
                "\(path) is shorter than its checkpoint says; delete the folder and run the replay again")
        }
        guard ftruncate(descriptor, length) == 0, lseek(descriptor, length, SEEK_SET) >= 0 else {
            throw OpenFile.failure("write", path)
        }
    }

    /// Appends what `write` puts into the buffer.
    public func append(_ write: (ByteBuffer) -> Void) throws(ImpactError) {
        write(buffer)
        if buffer.count >= Self.flushBytes { try flush() }
    }

    private func flush() throws(ImpactError) {
        let count = buffer.count
        try file.write(buffer.bytes)
        length += count
        buffer.removeAll()
    }

    /// Flushes and waits until the bytes are on the disk.
    public func sync() throws(ImpactError) {
        try flush()
        try file.sync()
    }

    /// Puts parts together, one after another, into one file, which appears whole or not at all.
    ///
    /// - Parameter path: `-` is standard output.
    public static func join(_ parts: [String], into path: String, heading: [UInt8] = []) throws(ImpactError) {
        let output = try OutputFile(path)
        try output.append(heading)
        for part in parts {
            try OpenFile(reading: part).forEachChunk { (bytes) throws(ImpactError) in try output.append(bytes) }
        }
        try output.finish()
    }
}
