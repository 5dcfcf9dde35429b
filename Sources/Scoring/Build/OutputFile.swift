import Base
import Foundation

/// A model file in the making: written beside its path, digested on the way, and put in place by a rename, so that a
/// reader (or a process that has the old one mapped) never sees half a model.
package final class OutputFile {
    private let path: String
    private let temporary: String
    private let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    private var pending = 0
    private var digest = SHA256()
    private var placed = false
    /// Where the next byte goes in the file.
    private(set) var position: Int

    package init(path: String, headerBytes: Int) throws(ImpactError) {
        self.path = path
        temporary = "\(path).\(getpid()).partial"
        position = headerBytes
        descriptor = open(temporary, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0o644)
        guard descriptor >= 0, lseek(descriptor, off_t(headerBytes), SEEK_SET) >= 0 else {
            throw SpoolFile.failure("write", temporary)
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if !placed { unlink(temporary) }
        buffer.deallocate()
    }

    package func append(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let taken = min(rest.count, buffer.count - pending)
            UnsafeMutableRawBufferPointer(rebasing: buffer[pending..<pending + taken])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(taken)))
            pending += taken
            position += taken
            rest = rest.dropFirst(taken)
            if pending == buffer.count { try flush() }
        }
    }

    package func append(_ bytes: [UInt8]) throws(ImpactError) {
        let result: Result<Void, ImpactError> = bytes.withUnsafeBytes { bytes in
            Result { () throws(ImpactError) in try append(bytes) }
        }
        try result.get()
    }

    /// Zeros up to `position`.
    package func pad(to position: Int) throws(ImpactError) {
        try append([UInt8](repeating: 0, count: max(0, position - self.position)))
    }

    /// Writes the header that `header` makes of the content's size and digest, and puts the file in place.
    package func finish(_ header: (UInt64, [UInt8]) -> [UInt8], headerBytes: Int) throws(ImpactError) -> [UInt8] {
        try flush()
        let sum = digest.finalize()
        let bytes = header(UInt64(position - headerBytes), sum)
        guard bytes.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == headerBytes,
            fsync(descriptor) == 0
        else { throw SpoolFile.failure("write", temporary) }
        // Written bytes are cached in small pages; `MappedFile` reads them back into huge ones.
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        guard rename(temporary, path) == 0 else { throw SpoolFile.failure("put the model in place at", path) }
        placed = true
        return sum
    }

    private func flush() throws(ImpactError) {
        digest.update(UnsafeRawBufferPointer(rebasing: buffer[..<pending]))
        var done = 0
        while done < pending {
            let written = write(descriptor, buffer.baseAddress! + done, pending - done)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw SpoolFile.failure("write", temporary) }
            done += written
        }
        pending = 0
    }
}
