import Base
import Foundation
import ModelImport
import Scoring
import Terminal

/// `impactiq-bench forest …`: the forest engine alone.
package enum ForestBenchmarkCommand {
    private static let model = CommandSpecification.Argument("MODEL", "A model file")
    private static let rows = CommandSpecification.Argument(
        "ROWS", "Raw float32 in the machine's order, as many per row as the model has features")

    private static let help = CommandSpecification(
        "forest", "The forest engine on a model and rows; scripts/bench-forest-peers.py adds the peers",
        subcommands: [
            CommandSpecification(
                "time", "Microseconds per row, with and without the interval",
                options: [
                    .value("kernels", "LIST", "Kernels; those that this machine has not are left out (default: all)"),
                    .value("batches", "LIST", "Rows scored together", default: "1,64,256,1024"),
                    .value("threads", "LIST", "Threads", default: "1,2"),
                    .value("seconds", "S", "Time of each measurement", default: "0.2"),
                    .value("rounds", "N", "Rounds, of which the median counts", default: "3"),
                    .value("clock", "CLOCK", "wall, or cpu for processor time", default: "wall"),
                    .flag("json", "Print one JSON list"),
                ], arguments: [model, rows],
                examples: [
                    .init("time bench.model rows.f32 --kernels avx512 --clock cpu", "one kernel, processor time")
                ]),
            CommandSpecification(
                "import", "Writes an EconML forest as a model without a feature specification, for timing",
                options: [.value("trees", "N", "So many trees; those of the forest are taken again when it has fewer")],
                arguments: [.init("FOREST", "An .npz of exporters/econml_export.py"), model]),
            CommandSpecification(
                "open", "Milliseconds to open a model, by how much of it is checked", arguments: [model]),
            CommandSpecification(
                "score", "Writes effects and standard errors as pairs of float64",
                arguments: [model, rows, .init("OUT", "The file to write")]),
        ])

    package static func run(_ words: [String]) throws {
        guard let command = try Benchmark.parse(help, words) else { return }
        let arguments = command.arguments
        switch command.path.last {
        case "time": try time(command)
        case "import":
            try importForest(arguments[0], to: arguments[1], trees: try command.count("trees"))
        case "open": try open(arguments[0])
        default:
            let rows = try ForestRows(modelPath: arguments[0], rowFile: arguments[1])
            var estimates = [Estimate](
                repeating: Estimate(effect: 0, standardError: 0), count: rows.count * rows.model.effectCount)
            ParallelScorer(model: rows.model).score(
                rows: rows.values, stride: rows.model.rowStride, count: rows.count, into: &estimates)
            try estimates.withUnsafeBytes { try Data($0).write(to: URL(filePath: arguments[2])) }
        }
    }

    private static func time(_ command: ParsedCommand) throws {
        func list(_ option: String) -> [String] {
            (command.text(option) ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        func counts(_ option: String) throws(ImpactError) -> [Int] {
            var counts: [Int] = []
            for word in list(option) {
                guard let count = Int(word), count > 0 else {
                    throw command.invalid(option, "'\(word)' is not a positive count")
                }
                counts.append(count)
            }
            return counts
        }
        var kernels: [Kernel] = []
        for word in list("kernels") {
            guard let kernel = Kernel(rawValue: word) else {
                let known = Kernel.allCases.map(\.rawValue).joined(separator: ", ")
                throw command.invalid("kernels", "there is no '\(word)'; known are \(known)")
            }
            if kernel.isAvailable { kernels.append(kernel) }
        }
        let rows = try ForestRows(modelPath: command.arguments[0], rowFile: command.arguments[1])
        var benchmark = ForestBenchmark(rows: rows)
        benchmark.seconds = try command.number("seconds") ?? benchmark.seconds
        benchmark.rounds = try command.count("rounds") ?? benchmark.rounds
        switch command.text("clock") {
        case "cpu": benchmark.countsProcessorTime = true
        case "wall": break
        default: throw command.invalid("clock", "must be wall or cpu")
        }
        let results = benchmark.run(
            kernels: kernels.isEmpty ? Kernel.available : kernels, batches: try counts("batches"),
            threads: try counts("threads"))
        if command.flag("json") {
            print(String(decoding: try JSONEncoder().encode(results), as: UTF8.self))
        } else {
            print(ForestBenchmark.table(results))
            print("\(try hugePages(of: command.arguments[0])) of \(rows.model.byteCount >> 10) KiB in huge pages")
        }
    }

    private static func open(_ path: String) throws {
        for (name, check) in [("trusted", ModelCheck.trusted), ("structure", .structure), ("checksum", .checksum)] {
            var best = Duration.seconds(1000)
            for _ in 0..<5 {
                let begin = ContinuousClock.now
                _ = try Model.open(path: path, verify: check)
                best = min(best, ContinuousClock.now - begin)
            }
            print("\(name): \(best / .milliseconds(1)) ms")
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
