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
    /// Where the events go; nil in progress that an earlier version wrote.
    private var topic: String?

    package init(files: [String], topic: String) {
        self.files = files
        self.topic = topic
        marks = files.map { FileMark($0) }
    }

    /// How far a load has come. A last file that is done is gone on with: it may have grown.
    ///
    /// - Returns: nil when there is no such file yet.
    /// - Throws: `progress_mismatch` when it is of other files or of another topic, when a file is not the one that was loaded,
    ///   or damaged.
    package static func read(_ path: String, files: [String], topic: String) throws(ImpactError) -> LoadProgress? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        guard var progress = try? JSONDecoder().decode(LoadProgress.self, from: data), progress.files == files,
            progress.line >= 0, (0...files.count).contains(progress.file)
        else {
            throw ImpactError(
                .badInput, code: "progress_mismatch",
                "\(path) does not say how far a load of these files came: name another file, or delete it to begin anew"
            )
        }
        if let other = progress.topic, other != topic {
            throw ImpactError(
                .badInput, code: "progress_mismatch",
                "\(path) is of a load into topic \(other), not \(topic): name another progress file")
        }
        progress.topic = topic
        for (place, mark) in (progress.marks ?? []).enumerated() where place < files.count {
            let now = FileMark(files[place])
            // Those that are done need not be there any more.
            if place < progress.file, now == nil { continue }
            guard let what = mark?.difference(files[place]) else {
                guard place < progress.file else { continue }
                if place == files.count - 1 {
                    progress.file = place
                } else if let mark, let now, now.isLonger(than: mark) {
                    throw ImpactError(
                        .badInput, code: "progress_mismatch",
                        "\(files[place]) has grown since it was loaded, and others after it were loaded too: load its new lines "
                            + "from a file of their own")
                }
                continue
            }
            throw ImpactError(
                .badInput, code: "progress_mismatch",
                "\(files[place]) \(what): line \(progress.line) of the file that \(path) speaks of means nothing in it. Name "
                    + "another progress file to load it from its beginning")
        }
        return progress
    }

    /// A file is done: as long as it is now, and the next one begins.
    package mutating func finishFile(lines: Int) {
        marks?[file] = FileMark(files[file])
        file += 1
        // The last file may grow, and is then gone on with.
        if file < files.count { line = 0 } else { line = lines }
    }

    /// Replaces the file as a whole.
    package func write(_ path: String) throws(ImpactError) {
        guard let json = try? JSONEncoder().encode(self) else { return }
        try OutputFile.write([UInt8](json), to: path)
    }
}
