import Base
import Foundation

/// How far a load of several files has come, in a small file: `{"files": […], "file": 1, "line": 120000}`.
///
/// Written only when everything before the line is acknowledged by the broker, so going on from it loses nothing; what a
/// killed load wrote after it is written once more, and dropped as duplicates where events have ids.
package struct LoadProgress: Codable, Equatable, Sendable {
    package var files: [String]
    /// Index of the file in hand.
    package var file = 0
    /// Lines of it that are done.
    package var line = 0
    /// The files as they were, by their places; nil in progress that an earlier version wrote.
    private var marks: [FileMark?]?

    package init(files: [String]) {
        self.files = files
        marks = files.map { FileMark($0) }
    }

    /// - Returns: nil when there is no such file yet.
    /// - Throws: `progress_mismatch` when it is of other files, or damaged.
    package static func read(_ path: String, files: [String]) throws(ImpactError) -> LoadProgress? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        guard let progress = try? JSONDecoder().decode(LoadProgress.self, from: data), progress.files == files,
            progress.line >= 0, (0...files.count).contains(progress.file)
        else {
            throw ImpactError(
                .badInput, code: "progress_mismatch",
                "\(path) does not say how far a load of these files came: name another file, or delete it to begin anew"
            )
        }
        // Those that are done need not be there any more.
        for (place, mark) in (progress.marks ?? []).enumerated() where place >= progress.file && place < files.count {
            guard let what = mark?.difference(files[place]) else { continue }
            throw ImpactError(
                .badInput, code: "progress_mismatch",
                "\(files[place]) \(what): line \(progress.line) of the file that \(path) speaks of means nothing in it. Name "
                    + "another progress file to load it from its beginning")
        }
        return progress
    }

    /// Replaces the file as a whole.
    package func write(_ path: String) throws(ImpactError) {
        guard let json = try? JSONEncoder().encode(self) else { return }
        try OutputFile.write([UInt8](json), to: path)
    }
}
