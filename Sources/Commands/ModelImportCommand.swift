import Base
import Features
import Foundation
import ModelImport
import Scoring
import Terminal

/// `impactiq model import econml|grf`.
enum ModelImportCommand {
    static func run(_ command: ParsedCommand) throws {
        guard let output = command.text("out"), let kind = ImportKind(rawValue: command.path.last ?? "") else {
            throw command.invalid("out", "name the model file to write")
        }
        let stem = URL(filePath: output).deletingPathExtension().lastPathComponent
        var request = ImportRequest(
            kind: kind, input: command.arguments[0], output: output, name: command.text("name") ?? stem,
            version: command.text("version") ?? "1")
        if let path = command.text("features") {
            let specification = try FeatureSpecification(json: try InputFile.bytes(path), name: path)
            request.featureNames = specification.names
            request.specification = specification.canonicalJSON
        }
        if command.isGiven("outcome") { request.outcomes = command.texts("outcome") }
        if command.isGiven("treatment") { request.treatments = command.texts("treatment") }
        let progress = ProgressLine("import", unit: "trees")
        let summary = try ModelImporter.run(request) { progress.update($0.trees) }
        print(summary, command)
    }

    private static func print(_ summary: ImportSummary, _ command: ParsedCommand) {
        if command.flag("json") {
            let object: JSONOutput = [
                "model": .text(summary.output), "sha256": .text(summary.sha256), "trees": .integer(summary.trees),
                "nodes": .integer(summary.nodes), "features": .array(summary.features.map { .text($0) }),
                "treatments": .array(summary.treatments.map { .text($0) }),
                "outcomes": .array(summary.outcomes.map { .text($0) }), "intervals": .bool(summary.hasIntervals),
            ]
            Terminal.Stream.output.write(object.line + "\n")
            return
        }
        Terminal.Stream.output.write(
            "\(summary.output): \(HumanNumber.grouped(summary.trees)) trees, \(HumanNumber.grouped(summary.nodes)) nodes, "
                + "\(summary.features.count) features, effect of \(summary.treatments.joined(separator: ", ")) on "
                + "\(summary.outcomes.joined(separator: ", "))"
                + (summary.hasIntervals ? "" : "; fitted without little bags: no intervals")
                + "\nsha256 \(summary.sha256)\n")
    }
}

/// Whole small files.
enum InputFile {
    static func bytes(_ path: String) throws(ImpactError) -> [UInt8] {
        do { return Array(try Data(contentsOf: URL(filePath: path))) } catch {
            throw ImpactError(
                .badInput, code: "file_not_readable", "cannot read \(path): \(error.localizedDescription)")
        }
    }
}
