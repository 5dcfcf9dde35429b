import Foundation

/// The folders that outputs are written in.
public enum OutputFolder {
    /// - Throws: `no_folder` when the folder that the file should stand in is not there, or is not a folder, and when the path
    ///   is a folder itself.
    public static func check(_ path: String) throws(ImpactError) {
        guard path != "-" else { return }
        let folder = folder(of: path)
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
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
        if OutputFile.isWrittenDirectly(path), !FileManager.default.fileExists(atPath: path) {
            throw takesNothing(path)
        }
    }

    /// Makes the folder beside an output in which it grows.
    /// - Throws: `no_folder`, about the output that was asked for.
    public static func make(_ folder: String, for path: String) throws(ImpactError) {
        do throws(ImpactError) { try Folder.make(folder) } catch { throw takesNothing(path) }
    }

    /// A folder that takes no new file, with the system's word for it when it has a plain one.
    static func takesNothing(_ path: String) -> ImpactError {
        let folder = folder(of: path)
        let reason = access(folder, W_OK) == 0 ? "" : " (\(String(cString: strerror(errno))))"
        return ImpactError(
            .failed, code: "no_folder",
            "cannot write \(path): \(folder) takes no new files\(reason); name another place")
    }

    private static func folder(of path: String) -> String {
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? "." : folder
    }
}
