import Base
import Foundation
import ModelImport
import Scoring

/// `impactiq-bench forest …`: the forest engine alone.
///
///     forest time MODEL ROWS [--kernels a,b] [--batches 1,64] [--threads 1,2] [--seconds S] [--rounds N]
///         [--clock wall|cpu] [--json]
///     forest import FOREST.npz MODEL [--trees N]   an EconML forest, without a feature specification; N trees of it,
///         taken again from the first one when it has fewer: for timing by size
///     forest open MODEL                  milliseconds to open it, by how much is checked
///     forest score MODEL ROWS OUT        effects and standard errors as float64 pairs, for the peers' script to compare
///
/// ROWS: raw float32, as many a row as the model has features.
package enum ForestBenchmarkCommand {
    package static func run(_ arguments: [String]) throws {
        func value(_ option: String) -> String? {
            arguments.firstIndex(of: option).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
        }
        func list(_ option: String) -> [String]? { value(option)?.split(separator: ",").map(String.init) }
        switch (arguments.first, arguments.count) {
        case ("time", 3...):
            let rows = try ForestRows(modelPath: arguments[1], rowFile: arguments[2])
            var benchmark = ForestBenchmark(rows: rows)
            benchmark.seconds = value("--seconds").flatMap(Double.init) ?? benchmark.seconds
            benchmark.rounds = value("--rounds").flatMap(Int.init) ?? benchmark.rounds
            benchmark.countsProcessorTime = value("--clock") == "cpu"
            let results = benchmark.run(
                kernels: list("--kernels")?.compactMap(Kernel.init(rawValue:)).filter(\.isAvailable)
                    ?? Kernel.available,
                batches: list("--batches")?.compactMap(Int.init) ?? [1, 64, 256, 1024],
                threads: list("--threads")?.compactMap(Int.init) ?? [1, 2])
            if arguments.contains("--json") {
                print(String(decoding: try JSONEncoder().encode(results), as: UTF8.self))
            } else {
                print(ForestBenchmark.table(results))
                print("\(try hugePages(of: arguments[1])) of \(rows.model.byteCount >> 10) KiB in huge pages")
            }
        case ("import", 3...):
            try importForest(arguments[1], to: arguments[2], trees: value("--trees").flatMap(Int.init))
        case ("open", 2):
            for (name, check) in [("trusted", ModelCheck.trusted), ("structure", .structure), ("checksum", .checksum)] {
                var best = Duration.seconds(1000)
                for _ in 0..<5 {
                    let begin = ContinuousClock.now
                    _ = try Model.open(path: arguments[1], verify: check)
                    best = min(best, ContinuousClock.now - begin)
                }
                print("\(name): \(best / .milliseconds(1)) ms")
            }
        case ("score", 4):
            let rows = try ForestRows(modelPath: arguments[1], rowFile: arguments[2])
            var estimates = [Estimate](
                repeating: Estimate(effect: 0, standardError: 0), count: rows.count * rows.model.effectCount)
            ParallelScorer(model: rows.model).score(
                rows: rows.values, stride: rows.model.rowStride, count: rows.count, into: &estimates)
            try estimates.withUnsafeBytes { try Data($0).write(to: URL(filePath: arguments[3])) }
        default:
            throw ImpactError(.usage, code: "usage", "impactiq-bench forest time|import|open|score …")
        }
    }

    /// KiB of a mapped file that huge pages hold.
    private static func hugePages(of path: String) throws -> Int {
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        var isTarget = false
        var kilobytes = 0
        // Not String(contentsOfFile:), which takes the first 4 KiB of a file without a size for all of it.
        let maps = try FileHandle(forReadingFrom: URL(filePath: "/proc/self/smaps")).readToEnd() ?? Data()
        for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 5)
            if words.count == 6, words[0].contains("-") { isTarget = words[5].hasSuffix(target) }
            if isTarget, words[0] == "FilePmdMapped:" { kilobytes += Int(words[1]) ?? 0 }
        }
        return kilobytes
    }

    private static func importForest(_ path: String, to output: String, trees: Int?) throws {
        let file = try EconMLFile(path: path)
        let forest = file.forests[0]
        var source = try RepeatedSource(file: file, left: trees ?? forest.trees)
        var builder = try ModelBuilder(
            metadata: ModelMetadata(
                name: "benchmark", version: "1", treatments: (0..<forest.treatments).map { "t\($0)" }, outcomes: ["y"],
                featureNames: (0..<10).map { "x\($0)" }), path: output)
        try builder.addForest(
            ForestInfo(
                kind: .econml, parameters: forest.parameters, treatments: forest.treatments,
                groupSize: forest.groupSize, featureCount: 10, missing: .refuse), trees: &source)
        print(try builder.finish())
    }
}

/// The trees of a file, over and over, until there are enough.
private struct RepeatedSource: TreeSource {
    let file: EconMLFile
    var source: EconMLSource
    var left: Int

    init(file: EconMLFile, left: Int) throws(ImpactError) {
        self.file = file
        self.left = left
        source = try file.source(outcome: 0)
    }

    mutating func nextTree() throws(ImpactError) -> RawTree? {
        guard left > 0 else { return nil }
        left -= 1
        if let tree = try source.nextTree() { return tree }
        source = try file.source(outcome: 0)
        return try source.nextTree()
    }
}

/// A model and rows for it, padded to its stride.
package final class ForestRows {
    let model: Model
    let values: UnsafeMutablePointer<Float>
    let count: Int

    init(modelPath: String, rowFile: String) throws {
        model = try Model.open(path: modelPath)
        let data = try Data(contentsOf: URL(filePath: rowFile))
        let (width, stride) = (model.featureCount, model.rowStride)
        count = data.count / 4 / width
        guard count > 0 else { throw ImpactError(.badInput, code: "no_rows", "\(rowFile) holds no row") }
        values = .allocate(capacity: count * stride)
        values.initialize(repeating: 0, count: count * stride)
        data.withUnsafeBytes { bytes in
            for row in 0..<count {
                for feature in 0..<width {
                    values[row * stride + feature] = bytes.loadUnaligned(
                        fromByteOffset: (row * width + feature) * 4, as: Float.self)
                }
            }
        }
    }

    deinit { values.deallocate() }
}
