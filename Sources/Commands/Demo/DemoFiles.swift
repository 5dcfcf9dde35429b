import Base
import Foundation

/// Where the demo's model is.
enum DemoFiles {
    /// The given path; else the model beside the build or the program, in the working folder, or where the container has it.
    static func model(_ given: String?) throws(ImpactError) -> String {
        if let given { return given }
        return try find("demo.model", option: "--model")
    }

    /// The same for the demo's feature specification.
    static func features(_ given: String?) throws(ImpactError) -> String {
        if let given { return given }
        return try find("features.json", option: "--features")
    }

    private static func find(_ file: String, option: String) throws(ImpactError) -> String {
        let name = "demo/\(file)"
        var candidates = ["examples/\(name)"]
        // .build/release/impactiq is three or four folders below the repository.
        var folder = executable.deletingLastPathComponent()
        candidates.append(folder.appending(path: "../share/impactiq/\(name)").standardized.path)
        for _ in 0..<4 {
            candidates.append(folder.appending(path: "examples/\(name)").path)
            folder = folder.deletingLastPathComponent()
        }
        candidates.append("/usr/share/impactiq/\(name)")
        if let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) { return found }
        throw ImpactError(
            .badInput, code: "demo_file_missing",
            "the demo's \(file) is not found in any of \(candidates.joined(separator: ", ")): put the repository's "
                + "examples/demo there, or name the file with \(option) FILE"
        )
    }

    private static var executable: URL {
        let link = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        return URL(filePath: link ?? CommandLine.arguments.first ?? "impactiq")
    }
}
