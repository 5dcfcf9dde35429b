import Foundation
import ModelImport
import Scoring
import TestSupport

/// Columns of numbers of a small CSV of this test target's Resources.
struct NumberTable {
    var names: [String]
    var rows: [[Double]]

    static func resource(_ name: String) throws -> NumberTable {
        try NumberTable(path: resourcePath(name))
    }

    init(path: String) throws {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        names = lines[0].split(separator: ",").map(String.init)
        rows = lines.dropFirst().map { line in
            line.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) ?? .nan }
        }
    }

    func column(_ name: String) -> [Double]? {
        names.firstIndex(of: name).map { index in rows.map { $0[index] } }
    }
}

func resourcePath(_ name: String) -> String {
    SharedMaterial.repository.appending(path: "Tests/ScoringTests/Resources/\(name)").path
}

/// The largest |a − b| / max(1, |b|); infinity when only one of them is a number.
func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(a.count == b.count ? 0 : .infinity) { largest, pair in
        if pair.0.isNaN && pair.1.isNaN { return largest }
        let difference = abs(pair.0 - pair.1) / max(1, abs(pair.1))
        return difference.isNaN ? .infinity : max(largest, difference)
    }
}

/// Scores rows (as doubles that are rounded to float32) in batches of different sizes.
func score(_ model: Model, _ rows: [[Double]], kernel: Kernel = .best) -> [[Estimate]] {
    let scorer = Scorer(model: model, maxRows: 64, kernel: kernel)
    var results: [[Estimate]] = []
    var start = 0
    while start < rows.count {
        let count = min(1 + start % 64, rows.count - start)
        var block = [Float](repeating: 0, count: count * model.rowStride)
        for row in 0..<count {
            for feature in 0..<model.featureCount {
                block[row * model.rowStride + feature] = Float(rows[start + row][feature])
            }
        }
        var estimates = [Estimate](
            repeating: Estimate(effect: 0, standardError: 0), count: count * model.effectCount)
        scorer.score(rows: block, stride: model.rowStride, count: count, into: &estimates)
        for row in 0..<count {
            results.append(Array(estimates[row * model.effectCount..<(row + 1) * model.effectCount]))
        }
        start += count
    }
    return results
}

/// Imports a forest into a model file of its own.
func importModel(
    _ kind: ImportKind, _ input: String, into scratch: TemporaryFolder, features: [String]? = nil
) throws -> Model {
    var request = ImportRequest(
        kind: kind, input: input, output: scratch.file("forest.model"), name: "golden", version: "1")
    request.featureNames = features
    _ = try ModelImporter.run(request)
    return try Model.open(path: scratch.file("forest.model"))
}
