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
    /// Where the events went; nil in progress that an earlier version wrote.
    package private(set) var target: String?
    /// Of files that are done, how many lines and bytes they had then; nil in progress that an earlier version wrote.
    private var done: [Done?]?

    private struct Done: Codable, Equatable, Sendable {
        var lines: Int
        var bytes: Int
    }
    /// The files as they were, by their places; nil in progress that an earlier version wrote.
    private var marks: [FileMark?]?

    package init(files: [String], target: String? = nil) {
        self.files = files
        self.target = target
        done = files.map { _ in nil }
        marks = files.map { FileMark($0) }
    }

    /// - Returns: nil when there is no such file yet.
    /// - Throws: `progress_mismatch` when it is of other files, or damaged.
    package static func read(
        _ path: String, files: [String], target: String? = nil
    ) throws(ImpactError) -> LoadProgress? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        guard let progress = try? JSONDecoder().decode(LoadProgress.self, from: data), progress.files == files,
            progress.line >= 0, (0...files.count).contains(progress.file)
        else {
            throw ImpactError(
                .badInput, code: "progress_mismatch",
                "\(path) does not say how far a load of these files came: name another file, or delete it to begin anew"
            )
        }
        if let target, let other = progress.target, other != target {
            throw ImpactError(
                .badInput, code: "progress_mismatch",
                "\(path) says how far these files were loaded into \(other), not into \(target): name another file for each target"
            )
        }
        for (place, mark) in (progress.marks ?? []).enumerated() where place < files.count {
            // Those that are done need not be there any more.
            if place < progress.file, !FileManager.default.fileExists(atPath: files[place]) { continue }
            guard let what = mark?.difference(files[place]) else { continue }
            throw ImpactError(
                .badInput, code: "progress_mismatch",
                "\(files[place]) \(what): what \(path) says of the lines of the file that it speaks of means nothing in it. Name "
                    + "another progress file to load it from its beginning")
        }
        return progress
    }

    /// The file in hand is read to its end: goes to the next.
    ///
    /// - Parameter bytes: how long it was when its reading began.
    package mutating func finishFile(bytes: Int?) {
        if done?.indices.contains(file) ?? false { done?[file] = bytes.map { Done(lines: line, bytes: $0) } }
        file += 1
        line = 0
    }

    /// Files that are done and longer now, with the lines of them that were read.
    package var grown: [(file: Int, lines: Int)] {
        (done ?? []).enumerated().compactMap { place, done in
            guard place < file, let done, let bytes = Self.bytes(files[place]), bytes > done.bytes else { return nil }
            return (place, done.lines)
        }
    }

    /// What came to a file that is done was read too.
    package mutating func finish(file place: Int, lines: Int, bytes: Int?) {
        if done?.indices.contains(place) ?? false { done?[place] = bytes.map { Done(lines: lines, bytes: $0) } }
    }

    package static func bytes(_ path: String) -> Int? {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber)?.intValue
    }

    /// Replaces the file as a whole.
    package func write(_ path: String) throws(ImpactError) {
        guard let json = try? JSONEncoder().encode(self) else { return }
        try OutputFile.write([UInt8](json), to: path)
    }
}
