import Foundation

/// A file in the making, which appears at its path whole or not at all.
///
/// It grows under a random name in the same folder, opened so that nobody's file or symbolic link is written through, and
/// ``finish()`` flushes it to the disk and renames it; a file that was at the path is replaced, a link there is not
/// followed. Without ``finish()`` nothing is left. `-` is standard output, and what is not a regular file (`/dev/null`, a
/// named pipe) is written directly.
public final class OutputFile {
    /// Who may read the file, whatever the umask.
    public enum Access: Sendable {
        /// The owner alone: whatever holds users' data.
        case owner
        /// As far as the umask allows: models and reports of totals.
        case shared

        var mode: mode_t { self == .owner ? 0o600 : 0o644 }
    }

    public let path: String
    /// Bytes written, those in the buffer too.
    public private(set) var position = 0
    private let file: OpenFile
    /// Nil for what is written directly.
    private let temporary: String?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    private var pending = 0
    private var isFinished = false

    /// - Throws: `no_folder`, `file_failed`.
    public init(_ path: String, access: Access = .owner) throws(ImpactError) {
        self.path = path
        if path == "-" {
            temporary = nil
            file = OpenFile(STDOUT_FILENO, path: "standard output", isOwned: false)
            return
        }
        // Before any work is done for it.
        try OutputFolder.check(path)
        if Self.isWrittenDirectly(path) {
            temporary = nil
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw errno == ENOENT ? OutputFolder.takesNothing(path) : OpenFile.failure("write", path)
            }
            file = OpenFile(descriptor, path: path)
            return
        }
        let name = Self.temporaryName(path)
        let descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, access.mode)
        guard descriptor >= 0 else { throw OpenFile.failure("write", path) }
        temporary = name
        file = OpenFile(descriptor, path: path)
    }

    deinit {
        buffer.deallocate()
        if let temporary, !isFinished { unlink(temporary) }
    }

    public func append(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) {
        position += bytes.count
        if bytes.count >= buffer.count {
            try flush()
            return try file.write(bytes)
        }
        if pending + bytes.count > buffer.count { try flush() }
        UnsafeMutableRawBufferPointer(rebasing: buffer[pending..<pending + bytes.count]).copyMemory(from: bytes)
        pending += bytes.count
    }

    public func append(_ bytes: [UInt8]) throws(ImpactError) {
        let result: Result<Void, ImpactError> = bytes.withUnsafeBytes { bytes in
            Result { () throws(ImpactError) in try append(bytes) }
        }
        try result.get()
    }

    public func append(_ text: String) throws(ImpactError) { try append(Array(text.utf8)) }

    /// Puts bytes over those at `position`, which were written before.
    public func overwrite(_ bytes: [UInt8], at position: Int) throws(ImpactError) {
        try flush()
        let result: Result<Void, ImpactError> = bytes.withUnsafeBytes { bytes in
            Result { () throws(ImpactError) in try file.write(bytes, at: position) }
        }
        try result.get()
    }

    /// Hands what is buffered to the system: for those who follow a pipe.
    public func flush() throws(ImpactError) {
        guard pending > 0 else { return }
        try file.write(UnsafeRawBufferPointer(rebasing: buffer[..<pending]))
        pending = 0
    }

    /// Brings all bytes to the disk, so that ``finish(dropsCache:)`` has nothing to do but to rename: for files that belong
    /// together.
    public func prepare() throws(ImpactError) {
        try flush()
        try file.sync()
    }

    /// Puts the file in its place: once, after the last byte.
    ///
    /// - Parameter dropsCache: whether the written pages leave the cache, for a file that is mapped afterwards.
    public func finish(dropsCache: Bool = false) throws(ImpactError) {
        try flush()
        guard let temporary else { return try file.sync() }
        try file.sync()
        if dropsCache { _ = posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED) }
        guard rename(temporary, path) == 0 else { throw OpenFile.failure("put in place", path) }
        isFinished = true
        try OpenFile.syncFolder(of: path)
    }

    /// Writes a small file at once.
    public static func write(_ bytes: [UInt8], to path: String, access: Access = .owner) throws(ImpactError) {
        let file = try OutputFile(path, access: access)
        try file.append(bytes)
        try file.finish()
    }

    /// Devices, pipes, and the links to them that the kernel keeps (`/dev/stdout`).
    public static func isWrittenDirectly(_ path: String) -> Bool {
        if path.hasPrefix("/dev/") && !path.hasPrefix("/dev/shm/") || path.hasPrefix("/proc/") { return true }
        var status = stat()
        guard lstat(path, &status) == 0 else { return false }
        let kind = status.st_mode & S_IFMT
        return kind != S_IFREG && kind != S_IFLNK && kind != S_IFDIR
    }

    private static func temporaryName(_ path: String) -> String {
        let url = URL(filePath: path)
        let random = String(UInt64.random(in: 0 ... .max), radix: 36)
        // A name may have 255 bytes.
        let name = String(decoding: url.lastPathComponent.utf8.prefix(200), as: UTF8.self)
        return url.deletingLastPathComponent().appending(path: ".\(name).\(random).partial").path
    }
}
