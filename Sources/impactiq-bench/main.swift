import Diagnostics
import Foundation
import Scoring

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "forest" where arguments.count >= 3:
    let benchmark = try ForestBenchmark(modelPath: arguments[1], rowFile: arguments[2])
    func list(_ option: String) -> [String]? {
        arguments.firstIndex(of: option).map { arguments[$0 + 1].split(separator: ",").map(String.init) }
    }
    let results = benchmark.run(
        kernels: list("--kernels")?.compactMap(Kernel.init(rawValue:)) ?? Kernel.available,
        batches: list("--batches")?.compactMap(Int.init) ?? [1, 64, 256, 1024, 20_000],
        threads: list("--threads")?.compactMap(Int.init) ?? [1, 2])
    if arguments.contains("--json") {
        print(String(decoding: try JSONEncoder().encode(results), as: UTF8.self))
    } else {
        print(ForestBenchmark.table(results))
    }
    benchmark.release()
case "forest-import":
    let file = try EconMLFile(path: arguments[1])
    let forest = file.forests[0]
    var source = try file.source(outcome: 0)
    var builder = try ModelBuilder(
        metadata: ModelMetadata(name: "bench", version: "1", treatments: ["t"], outcomes: ["y"], featureNames: (0..<Int(arguments[3])!).map { "x\($0)" }),
        path: arguments[2])
    try builder.addForest(
        ForestInfo(kind: .econml, parameters: forest.parameters, treatments: forest.treatments, groupSize: forest.groupSize, featureCount: Int(arguments[3])!, missing: .refuse),
        trees: &source)
    print(try builder.finish())
case "forest-score":
    let model = try Model.open(path: arguments[1])
    let data = try Data(contentsOf: URL(filePath: arguments[2]))
    let n = data.count / 4 / model.featureCount
    var rows = [Float](repeating: 0, count: n * model.rowStride)
    data.withUnsafeBytes { b in for r in 0..<n { for f in 0..<model.featureCount { rows[r * model.rowStride + f] = b.loadUnaligned(fromByteOffset: (r * model.featureCount + f) * 4, as: Float.self) } } }
    var est = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: n * model.effectCount)
    ParallelScorer(model: model).score(rows: rows, stride: model.rowStride, count: n, into: &est)
    est.withUnsafeBytes { FileHandle.standardOutput.write(Data($0)) }
default:
    print("bench")
}
