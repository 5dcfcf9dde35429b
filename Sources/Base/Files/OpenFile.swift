import Foundation

/// An open file descriptor and the path it came from: every read and write of the product goes through here, so that an
/// interrupted call is repeated and an error names the file. Closed with the object.
public final class OpenFile {
    public let path: String
    public let descriptor: Int32
    private let isOwned: Bool

    /// Takes over a descriptor.
    /// - Parameter isOwned: false for standard output, which stays open.
    public init(_ descriptor: Int32, path: String, isOwned: Bool = true) {
        self.path = path
        self.descriptor = descriptor
        self.isOwned = isOwned
    }

    /// Opens a file to read it; a symbolic link is followed.
    ///
    /// - Throws: `file_not_readable`, bad input.
    public convenience init(reading path: String) throws(ImpactError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ImpactError(.badInput, code: "file_not_readable", "cannot read \(path): \(Self.reason)")
        }
        self.init(descriptor, path: path)
    }

    deinit { if isOwned { close(descriptor) } }

    /// Fills some of the buffer from the present place; 0 at the end of the file.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Int {
        while true {
            let count = Foundation.read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure("read", path) }
            return count
        }
    }

    /// Fills the whole buffer from `offset` on.
    public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) {
        var rest = buffer
        var offset = offset
        while !rest.isEmpty {
            let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("read", path) }
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
            offset += count
        }
    }

    /// Writes all bytes at the present place.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("write", path) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes all bytes from `offset` on; the present place stays.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ImpactError) {
        var rest = bytes
        var offset = offset
        while !rest.isEmpty {
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("write", path) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            offset += count
        }
    }

    /// Waits until what was written is on the disk; nothing for a pipe or a device.
    public func sync() throws(ImpactError) {
        while fsync(descriptor) != 0 {
            if errno == EINTR { continue }
            guard errno == EINVAL || errno == EROFS || errno == ENOTSUP else { throw Self.failure("write", path) }
            return
        }
    }

    /// What `errno` says, as `file_failed`.
    public static func failure(_ work: String, _ path: String) -> ImpactError {
        ImpactError(.failed, code: "file_failed", "cannot \(work) \(path): \(reason)")
    }

    private static var reason: String { String(cString: strerror(errno)) }
}

extension OpenFile {
    /// All bytes of a file; for what is small.
    ///
    /// - Throws: `file_too_large` for more than `most` bytes: a device may have no end.
    public static func contents(of path: String, atMost most: Int = 64 << 20) throws(ImpactError) -> [UInt8] {
        var bytes: [UInt8] = []
        try OpenFile(reading: path).forEachChunk { (chunk) throws(ImpactError) in
            guard bytes.count + chunk.count <= most else {
                throw ImpactError(
                    .badInput, code: "file_too_large", "\(path) has more than \(most) bytes, which is too many for this"
                )
            }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }

    /// Whether the path names a regular file, through links: not a pipe, which may never end, nor a device.
    public static func isRegular(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// Calls `body` with the rest of the file, a piece at a time.
    public func forEachChunk(
        _ body: (UnsafeRawBufferPointer) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try read(into: buffer)
            if count == 0 { return }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Waits until the folder's entries (a rename in it) are on the disk.
    public static func syncFolder(of path: String) throws(ImpactError) {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open the folder", folder) }
        try OpenFile(descriptor, path: folder).sync()
    }
}
