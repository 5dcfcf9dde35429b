import Foundation

/// A folder of a test's own; gone with its owner.
package final class TemporaryFolder: Sendable {
    package let path: String

    /// - Parameter purpose: part of its name, for whoever finds it after a crash.
    package init(_ purpose: String = "test") throws {
        path = FileManager.default.temporaryDirectory.appending(path: "impactiq-\(purpose)-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    package var url: URL { URL(filePath: path) }

    package func file(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    package func write(_ text: String, _ name: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: file(name)))
        return file(name)
    }
}
