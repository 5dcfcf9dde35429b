import Base
import Events
import Foundation

/// A file that one thread appends to through a buffer.
package final class PartFile {
    let path: String
    private let descriptor: Int32
    private let buffer = ByteBuffer(capacity: 1 << 20)
    private static let flushBytes = 1 << 19
    private(set) var length: Int

    /// - Parameter length: what is kept of the file as it is; the rest is cut off.
    package init(_ path: String, keeping length: Int) throws(ImpactError) {
        self.path = path
        self.length = length
        descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.failure(path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, Int(status.st_size) >= length else {
            close(descriptor)
            throw ImpactError(
                .failed, code: "checkpoint_mismatch",
                "\(path) is shorter than its checkpoint says; delete the folder and run the replay again")
        }
        guard ftruncate(descriptor, length) == 0, lseek(descriptor, length, SEEK_SET) >= 0 else {
            close(descriptor)
            throw Self.failure(path)
        }
    }

    deinit { close(descriptor) }

    /// Appends what `write` puts into the buffer.
    func append(_ write: (ByteBuffer) -> Void) throws(ImpactError) {
        write(buffer)
        if buffer.count >= Self.flushBytes { try flush() }
    }

    func flush() throws(ImpactError) {
        var rest = buffer.bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(path) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            length += count
        }
        buffer.removeAll()
    }

    /// Flushes and waits until the bytes are on the disk.
    func sync() throws(ImpactError) {
        try flush()
        guard fdatasync(descriptor) == 0 || errno == EINVAL else { throw Self.failure(path) }
    }

    static func failure(_ path: String) -> ImpactError {
        ImpactError(.failed, code: "file_failed", "cannot write \(path): \(String(cString: strerror(errno)))")
    }
}

/// Puts parts together into one file, which appears whole or not at all.
enum PartFiles {
    /// - Parameter path: `-` is standard output.
    static func join(_ parts: [String], into path: String, heading: [UInt8] = []) throws(ImpactError) {
        if path == "-" {
            try copy(parts, to: STDOUT_FILENO, heading: heading, name: "standard output")
            return
        }
        let temporary = path + ".partial"
        let output = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard output >= 0 else { throw PartFile.failure(temporary) }
        do throws(ImpactError) {
            defer { close(output) }
            try copy(parts, to: output, heading: heading, name: temporary)
            guard fdatasync(output) == 0 || errno == EINVAL else { throw PartFile.failure(temporary) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else { throw PartFile.failure(path) }
    }

    private static func copy(
        _ parts: [String], to output: Int32, heading: [UInt8], name: String
    ) throws(ImpactError) {
        let first = ByteBuffer()
        first.append(heading)
        try write(first.bytes, output, name)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        for part in parts {
            let input = open(part, O_RDONLY | O_CLOEXEC)
            guard input >= 0 else { throw PartFile.failure(part) }
            defer { close(input) }
            while true {
                let count = read(input, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw PartFile.failure(part) }
                if count == 0 { break }
                try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), output, name)
            }
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, _ output: Int32, _ name: String) throws(ImpactError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(output, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw PartFile.failure(name) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
