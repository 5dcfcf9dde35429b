import Base
import Foundation

/// The name by which Kafka knows this process again after a restart.
///
/// A stable transactional id lets the broker abort, at once, the transaction that a killed process left open; a fresh
/// one would leave it hanging until its timeout. The name lives in `state.dir/instance-N.id`, locked while the process
/// runs, so that a second process on the same folder takes the next number.
package final class ProcessIdentity: Sendable {
    /// Random, kept in the file.
    package let name: String
    /// The file's number: no other process that runs on the same folder has it.
    package let number: Int
    /// The file.
    let path: String
    private let descriptor: Int32

    /// - Throws: `failed` when the folder cannot be made or written.
    package init(stateDirectory: String) throws(ImpactError) {
        do throws(ImpactError) { try Folder.make(stateDirectory) } catch {
            throw ImpactError(.failed, code: "state_dir_unwritable", "\(error.message); set state.dir")
        }
        for number in 0..<1_024 {
            let path = "\(stateDirectory)/instance-\(number).id"
            let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                throw ImpactError(
                    .failed, code: "state_dir_unwritable",
                    "cannot write \(path): \(String(cString: strerror(errno))); set state.dir to a folder of your own")
            }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                self.descriptor = descriptor
                self.number = number
                self.path = path
                self.name = Self.readOrChooseName(descriptor)
                return
            }
            close(descriptor)
        }
        throw ImpactError(
            .failed, code: "state_dir_busy", "1,024 processes already use the state folder \(stateDirectory)")
    }

    deinit { close(descriptor) }

    private static func readOrChooseName(_ descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 12)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        let isHexadecimal = buffer.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        if count == buffer.count, isHexadecimal { return String(decoding: buffer, as: UTF8.self) }
        let name = String(UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased().prefix(12))
        ftruncate(descriptor, 0)
        pwrite(descriptor, name, name.utf8.count, 0)
        fsync(descriptor)
        return name
    }
}
