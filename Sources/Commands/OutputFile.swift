import Base
import Foundation

/// A file being written, or standard output for `-`; errors name it.
final class OutputFile {
    let path: String
    let descriptor: Int32

    init(_ path: String) throws(ImpactError) {
        self.path = path
        descriptor = path == "-" ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.error(path) }
    }

    deinit { if path != "-" { close(descriptor) } }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw Self.error(path)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private static func error(_ path: String) -> ImpactError {
        ImpactError(.failed, code: "file_failed", "cannot write \(path): \(String(cString: strerror(errno)))")
    }
}
