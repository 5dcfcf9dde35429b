import Base
import Foundation

/// Where the demo's model is.
enum DemoFiles {
    /// The given path; else the model in the working folder, beside the build, or where the container has it.
    static func model(_ given: String?) throws(ImpactError) -> String {
        if let given { return given }
        let name = "demo/demo.model"
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
            .badInput, code: "demo_model_missing",
            "the demo's model examples/\(name) is not found: run this in the repository, or name a model with --model FILE"
        )
    }

    private static var executable: URL {
        let link = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        return URL(filePath: link ?? CommandLine.arguments.first ?? "impactiq")
    }
}
