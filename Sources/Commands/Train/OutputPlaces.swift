import Base
import Foundation
import Terminal

/// The files that a long command writes when its work is done: whether each can be written is found out before it starts, and
/// none of them may be a file that is read, or another of them.
enum OutputPlaces {
    /// - Parameters:
    ///   - options: of the command, each with the path of a file to write.
    ///   - inputs: files that the command reads.
    /// - Throws: `output_file` naming the option.
    static func check(_ command: ParsedCommand, _ options: [String], inputs: [String]) throws(ImpactError) {
        var taken: [String: String] = [:]
        for input in inputs {
            if let place = place(of: input) { taken[place] = "\(input), which is read" }
        }
        for option in options {
            guard let path = command.text(option), path != "-" else { continue }
            func fault(_ why: String) -> ImpactError {
                ImpactError(.usage, code: "output_file", "--\(option) \(path): \(why)")
            }
            var status = stat()
            let isThere = stat(path, &status) == 0
            if isThere, status.st_mode & S_IFMT == S_IFDIR { throw fault("it is a folder; name a file in it") }
            if isThere, status.st_mode & S_IFMT != S_IFREG { continue }
            let folder = parts(path).folder
            guard access(folder, F_OK) == 0 else { throw fault("the folder \(folder) does not exist") }
            guard access(folder, W_OK | X_OK) == 0 else { throw fault("the folder \(folder) cannot be written to") }
            guard let place = place(of: path) else { continue }
            if let other = taken.updateValue("that of --\(option)", forKey: place) {
                throw fault("it is the same file as \(other); give another name")
            }
        }
    }

    /// What is the same for all names of a file, also of one that is not there yet.
    private static func place(of path: String) -> String? {
        var status = stat()
        if stat(path, &status) == 0 { return "\(status.st_dev):\(status.st_ino)" }
        let (folder, name) = parts(path)
        guard stat(folder, &status) == 0 else { return nil }
        return "\(status.st_dev):\(status.st_ino)/\(name)"
    }

    private static func parts(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}
