import Base
import Foundation

/// A temporary file without a name: bytes are appended, then read back from anywhere. It is gone when it is closed or
/// the process ends. A forest waits in two of these, so that building needs little memory.
package final class SpoolFile {
    private let file: OpenFile
    /// Bytes not written yet.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    private var pending = 0
    private(set) var count = 0

    package init(directory: String) throws(ImpactError) {
        // Nobody else has the name: the call fails rather than open a file that is there.
        let path = "\(directory)/.impactiq-\(UInt64.random(in: 0 ... .max))"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OpenFile.failure("create a temporary file in", directory) }
        file = OpenFile(descriptor, path: "a temporary file in \(directory)")
        unlink(path)
    }

    deinit { buffer.deallocate() }

    package func append(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let taken = min(rest.count, buffer.count - pending)
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[pending..<pending + taken])
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(taken)))
            pending += taken
            count += taken
            rest = rest.dropFirst(taken)
            if pending == buffer.count { try flush() }
        }
    }

    /// Fills `target` with the bytes from `offset` on; all of them must have been appended.
    package func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(ImpactError) {
        try flush()
        try file.read(at: offset, into: target)
    }

    private func flush() throws(ImpactError) {
        try file.write(UnsafeRawBufferPointer(rebasing: buffer[..<pending]))
        pending = 0
    }
}
