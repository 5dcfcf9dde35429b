import Foundation

/// The reference material beside the repository (`../shared`): there in development and CI, absent at a customer's.
package enum SharedMaterial {
    /// The repository's root.
    package static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A path in `../shared`, or nil; says `skipped` when the material is absent. `IMPACTIQ_SHARED` overrides the folder.
    package static func path(_ relative: String, test: String = #function) -> String? {
        let root =
            ProcessInfo.processInfo.environment["IMPACTIQ_SHARED"]
            ?? repository.deletingLastPathComponent().appending(path: "shared").path
        let path = "\(root)/\(relative)"
        if FileManager.default.fileExists(atPath: path) { return path }
        print("skipped: \(test) needs \(relative) of the reference material, which is not on this machine")
        return nil
    }
}
