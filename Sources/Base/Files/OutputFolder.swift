import Base
import Foundation

/// The folders that outputs are written in.
package enum OutputFolder {
    /// - Throws: `no_folder` when the folder that the file should stand in is not there, or is not a folder.
    package static func check(_ path: String) throws(ImpactError) {
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

    /// Makes the folder beside an output in which it grows.
    /// - Throws: `no_folder`, about the output that was asked for.
    package static func make(_ folder: String, for path: String) throws(ImpactError) {
        do throws(ImpactError) { try Folder.make(folder) } catch {
            throw ImpactError(
                .failed, code: "no_folder",
                "cannot write \(path): its folder takes no new files (\(error.message)); name another place")
        }
    }
}
