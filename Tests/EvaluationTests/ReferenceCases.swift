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
    let result = try Spawn.run(["/usr/bin/gzip", "-dc", path])
    try #require(result.status == 0, "gzip -dc \(path): \(result.errors)")
    return result.output
}
