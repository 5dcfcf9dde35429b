import Foundation

/// Folders of ours.
public enum Folder {
    /// Makes the folder, and those above it that are missing, for the owner alone whatever the umask. One that is there
    /// stays as it is.
    ///
    /// - Throws: `file_failed`.
    public static func make(_ path: String) throws(ImpactError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ImpactError(
                .failed, code: "file_failed", "cannot make the folder \(path): \(error.localizedDescription)")
        }
    }

    /// A new folder with a random name in the system's temporary folder, for the owner alone.
    public static func temporary(_ purpose: String) throws(ImpactError) -> String {
        let template = FileManager.default.temporaryDirectory.appending(path: "impactiq-\(purpose)-XXXXXX").path
        var name = Array(template.utf8CString)
        guard mkdtemp(&name) != nil else { throw OpenFile.failure("make the folder", template) }
        return String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
