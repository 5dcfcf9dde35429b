import Foundation

/// A file mapped for reading: its pages are shared with every process that maps it. Unmapped when it goes:
/// whoever uses the bytes holds on to it (`withExtendedLifetime`), or takes a copy by ``prefix(_:of:)``.
///
/// The file must not be cut short while it is mapped; model files are replaced by renaming, never written in place.
public final class MappedFile: @unchecked Sendable {  // the bytes are never written to after the mapping
    public let bytes: UnsafeRawBufferPointer

    public init(path: String) throws(ImpactError) {
        // Without waiting for whoever may write to a named pipe, which is refused below.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw ImpactError(
                .badInput, code: "file_not_readable", "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ImpactError(.badInput, code: "file_not_readable", "cannot map \(path): it is not a regular file")
        }
        guard status.st_size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let size = Int(status.st_size)
        guard let address = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
            throw ImpactError(.failed, code: "file_failed", "cannot map \(path): \(String(cString: strerror(errno)))")
        }
        // Before the first touch: a file system with large folios (ext4 since Linux 6.16, xfs since 5.18) then reads
        // what is not cached yet into huge pages, which processes still share. A kernel without them refuses or ignores it.
        _ = madvise(address, size, Int32(MADV_HUGEPAGE))
        bytes = UnsafeRawBufferPointer(start: address, count: size)
    }

    /// A copy of the file's first bytes, at most so many.
    public static func prefix(_ most: Int, of path: String) throws(ImpactError) -> [UInt8] {
        let file = try MappedFile(path: path)
        return withExtendedLifetime(file) { Array(file.bytes.prefix(most)) }
    }

    deinit {
        if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
    }
}
