import Base
import Foundation

/// The folders that outputs are written in.
enum OutputFolder {
    /// - Throws: `no_folder` when the folder that the file should stand in is not there, or is not a folder.
    static func check(_ path: String) throws(ImpactError) {
        guard path != "-" else { return }
        let folder = (path as NSString).deletingLastPathComponent
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: folder.isEmpty ? "." : folder, isDirectory: &isFolder)
        guard exists, isFolder.boolValue else {
            throw ImpactError(
                .failed, code: "no_folder",
                "cannot write \(path): \(exists ? "\(folder) is not a folder" : "there is no folder \(folder)"); make it, or name "
                    + "another place")
        }
        var isOther: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isOther), isOther.boolValue {
            throw ImpactError(.failed, code: "no_folder", "cannot write \(path): it is a folder; name a file")
        }
    }
}
