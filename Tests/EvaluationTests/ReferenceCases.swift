import Evaluation
import Foundation
import TestSupport
import Testing

/// A case of `metrics/cases.json.gz` with what scikit-uplift 0.5.1 (and causalml 0.18.0, `cml_*`) computed.
struct ReferenceCase: Decodable {
    let y: [Double]
    let t: [UInt8]
    let u: [Double]
    let bins: Int
    let expected: [String: Double]

    var trial: Trial {
        get throws { try Trial(score: u, treatment: t, outcome: y) }
    }

    /// Empty when the reference material is not on this machine.
    static func load() throws -> [ReferenceCase] {
        struct File: Decodable { let cases: [ReferenceCase] }
        guard let path = SharedMaterial.path("data/metrics/cases.json.gz") else { return [] }
        return try JSONDecoder().decode(File.self, from: Data(gunzip(path))).cases
    }
}

/// The content of a gzip file, by Debian's gzip.
func gunzip(_ path: String) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/gzip")
    process.arguments = ["-dc", path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "gzip -dc \(path)")
    return [UInt8](data)
}
