import Base
import Foundation

/// Which file a path names, whatever the path's spelling.
package enum SameFile {
    /// - Throws: `file_twice` when two paths name one file: its events would count twice.
    package static func refuse(_ paths: [String]) throws(ImpactError) {
        var seen: [FileMark.Identity: String] = [:]
        for path in paths where path != "-" {
            guard let mark = FileMark(path), let earlier = seen.updateValue(path, forKey: mark.identity) else {
                continue
            }
            throw ImpactError(
                .usage, code: "file_twice",
                earlier == path
                    ? "\(path) is named twice: its events would count twice"
                    : "\(earlier) and \(path) are the same file: its events would count twice")
        }
    }
}

/// What tells a file from another one that takes its name.
package struct FileMark: Codable, Equatable, Sendable {
    package struct Identity: Codable, Hashable, Sendable {
        var device: UInt64
        var number: UInt64
    }

    package var identity: Identity
    private var size: Int
    private var modified: Int64
    /// Of the first bytes, as many as ``head``.
    private var sha256: String
    private var head: Int

    private static let headBytes = 65_536

    /// Nil for what is not a regular file, or cannot be read.
    package init?(_ path: String) { self.init(path, head: Self.headBytes) }

    private init?(_ path: String, head: Int) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            let file = FileHandle(forReadingAtPath: path)
        else { return nil }
        defer { try? file.close() }
        let bytes = (try? file.read(upToCount: head)) ?? Data()
        identity = Identity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
        size = Int(status.st_size)
        modified = Int64(status.st_mtim.tv_sec)
        self.head = bytes.count
        let sum = SHA256()
        Array(bytes).withUnsafeBytes { sum.update($0) }
        sha256 = SHA256.hex(sum.finalize())
    }

    /// What is wrong with the file that has the name now; nil when it is the same, or the same with more at its end.
    package func difference(_ path: String) -> String? {
        guard let now = FileMark(path, head: head) else { return "is not there any more" }
        if now.size < size { return "had \(size) bytes, and has \(now.size) now" }
        if now.sha256 != sha256 { return "begins otherwise now" }
        let isCopy = now.size == size && now.modified == modified
        return now.identity == identity || isCopy ? nil : "was replaced by another file"
    }
}
