import Base
import Foundation
import ModelImport
import Scoring
import TestSupport
import Testing

/// The message of the error that `body` throws; "nothing" when it throws none.
func refusal(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "nothing was refused"
    } catch let error as ImpactError {
        return "\(error.code): \(error.message)"
    } catch {
        return "an error of another kind: \(error)"
    }
}

@Suite struct EconMLFileTests {
    private func read(_ writer: NpzWriter, limits: ImportLimits = ImportLimits()) throws -> [RawTree] {
        let scratch = try TemporaryFolder()
        try writer.write(scratch.file("forest.npz"))
        let file = try EconMLFile(path: scratch.file("forest.npz"), limits: limits)
        var trees: [RawTree] = []
        for outcome in file.forests.indices {
            var source = try file.source(outcome: outcome)
            while let tree = try source.nextTree() { trees.append(tree) }
        }
        return trees
    }

    @Test func givesTheTreesAndTheLeavesInOrder() throws {
        let trees = try read(.small())
        #expect(trees.count == 2)
        #expect(trees[0].left == [1, -1, -1] && trees[0].right == [2, -1, -1] && trees[0].threshold[0] == 0.5)
        #expect(trees[0].payload == [1, 0, 2, 1, 1, 1, 2, 0, 3, 1, 1, 1])
        #expect(trees[1].payload == [3, 0, 4, 1, 1, 1])
    }

    @Test func readsNarrowTypesAndSeveralOutcomes() throws {
        var writer = NpzWriter.small()
        writer.set("left", int32: [1, -1, -1, -1])
        writer["threshold"] = .init(type: "<f4", shape: [4], bytes: NpzWriter.bytes([Float(0.5), -2, -2, -2]))
        for (name, array) in writer.arrays { writer[name + "_1"] = array }
        writer.set("threshold_1", double: [0.75, 0, 0, 0])
        let trees = try read(writer)
        #expect(trees.count == 4)
        #expect(trees[0].left == trees[2].left && trees[0].threshold[0] == 0.5 && trees[2].threshold[0] == 0.75)
    }

    @Test func readsTheMetadata() throws {
        let scratch = try TemporaryFolder()
        var writer = NpzWriter.small()
        writer.set("metadata", text: NpzWriter.metadata)
        writer.set("feature_importance", double: [0.25, 0.75])
        try writer.write(scratch.file("forest.npz"), stored: true)
        let file = try EconMLFile(path: scratch.file("forest.npz"))
        #expect(file.metadata?.featureNames == ["age", "spend"])
        #expect(file.metadata?.treatmentNames == ["mail"] && file.metadata?.outcomeNames == ["visit"])
        #expect(file.metadata?.provenance.contains("\"control\":\"none\"") == true)
        #expect(file.forests[0].importances == [0.25, 0.75])
    }

    /// Each damage is refused with the place that is at fault.
    @Test func refusesWrongArraysNamingThem() throws {
        func message(_ change: (inout NpzWriter) -> Void, limits: ImportLimits = ImportLimits()) -> String {
            refusal {
                var writer = NpzWriter.small()
                change(&writer)
                _ = try read(writer, limits: limits)
            }
        }
        typealias Change = (inout NpzWriter) -> Void
        var cases: [(change: Change, words: String)] = []
        for name in ["offsets", "left", "right", "feature", "threshold", "jac", "precond", "p", "q", "subforest_size"] {
            cases += [
                ({ $0[name] = nil }, "import_missing_array: "),
                ({ $0[name] = nil }, "the array \(name) is missing"),
                ({ $0[name]?.type = "|u1" }, "array \(name): "),
                ({ $0[name]?.bytes.removeLast() }, "array \(name): it has"),
                ({ $0[name]?.raw = [1, 2, 3] }, "\(name).npy ends too early"),
                ({ $0[name]?.raw = Array("no array, only text".utf8) }, "array \(name): it is no"),
            ]
        }
        cases += [
            ({ $0.set("p", int64: [3], shape: []) }, "array q: it is 1, expected 2 to 3"),
            ({ $0.set("p", int64: [0], shape: []) }, "array p: it is 0"),
            ({ $0.set("p", int64: [1 << 40], shape: []) }, "array p: it is"),
            ({ $0.set("subforest_size", int64: [3], shape: []) }, "array subforest_size"),
            ({ $0.set("subforest_size", int64: [2], shape: []) }, "two or more bags of 2"),
            ({ $0.set("offsets", int64: [1, 3, 4]) }, "array offsets: it begins with 1"),
            ({ $0.set("offsets", int64: [0, 3, 3]) }, "array offsets: tree 1"),
            ({ $0.set("offsets", int64: [0, 3, Int.min]) }, "array offsets: tree 1"),
            ({ $0.set("offsets", int64: [0, 3, Int.max]) }, "array offsets: tree 1"),
            ({ $0.set("offsets", int64: [0]) }, "array offsets: it has 1 values"),
            ({ $0.set("offsets", int64: [0, 3]) }, "array left: its shape is [4], expected [3]"),
            ({ $0.set("left", int64: [1 << 32, -1, -1, -1]) }, "array left: tree 0, node 0 is"),
            ({ $0["jac"]?.shape = [2, 8] }, "array jac: its shape is [2, 8], expected [4, 4]"),
            ({ $0["jac"]?.fortran = true }, "array jac: it is in Fortran order"),
            ({ $0["jac"]?.type = ">f8" }, "array jac: its type is >f8"),
        ]
        for (change, words) in cases {
            let text = message(change)
            #expect(text.contains(words), "expected \(words), got \(text)")
        }
        var limits = ImportLimits()
        limits.nodesOfATree = 2
        #expect(message({ _ in }, limits: limits).contains("a tree has 1 to 2 nodes"))
    }

    @Test func refusesWrongMetadata() throws {
        func message(_ text: String) -> String {
            refusal {
                var writer = NpzWriter.small()
                writer.set("metadata", text: text)
                _ = try read(writer)
            }
        }
        let right = NpzWriter.metadata
        #expect(message(right) == "nothing was refused")
        #expect(message("{").contains("array metadata: it is not JSON"))
        #expect(message("[]").contains("no JSON object"))
        #expect(message(right.replacing("impactiq-econml", with: "other")).contains("not of the format"))
        #expect(message(right.replacing("version\":1", with: "version\":2")).contains("import_version"))
        #expect(message(right.replacing("\"spend\"", with: "\"age\"")).contains("holds age twice"))
        #expect(message(right.replacing("\"visit\"", with: "\"a\",\"b\"")).contains("2 outcome_names"))
        #expect(message(right.replacing("\"mail\"", with: "\"a\",\"b\"")).contains("2 treatment names"))
        #expect(message(right.replacing("\"names\"", with: "\"other\"")).contains("treatment has no list"))
    }

    @Test func refusesWhatIsNoArchiveOrIsCutOff() throws {
        let scratch = try TemporaryFolder()
        #expect(refusal { _ = try EconMLFile(path: scratch.file("absent.npz")) }.contains("cannot open"))
        let text = try scratch.write("no archive", "text.npz")
        #expect(refusal { _ = try EconMLFile(path: text) }.contains("import_archive"))

        let path = scratch.file("forest.npz")
        try NpzWriter.small().write(path, stored: true)
        let bytes = try Data(contentsOf: URL(filePath: path))
        var generator = SeededGenerator.announced()
        for length in [0, 1, 30, bytes.count / 2, bytes.count - 1] {
            try bytes.prefix(length).write(to: URL(filePath: path))
            #expect(refusal { _ = try EconMLFile(path: path) } != "nothing was refused")
        }
        // A changed byte anywhere is found by the checksum, by a check, or lies where nothing is read: never a crash.
        for _ in 0..<400 {
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
            try damaged.write(to: URL(filePath: path))
            if let file = try? EconMLFile(path: path), var source = try? file.source(outcome: 0) {
                while let tree = try? source.nextTree() { #expect(tree.left.count <= 3) }
            }
        }
    }

    @Test func aDamagedArrayIsFoundByItsChecksum() throws {
        let scratch = try TemporaryFolder()
        let path = scratch.file("forest.npz")
        try NpzWriter.small().write(path, stored: true)
        var bytes = try Data(contentsOf: URL(filePath: path))
        // 0.5, the only threshold that is a split's.
        let half = try #require(bytes.range(of: Data(NpzWriter.bytes([0.5]))))
        bytes[half.lowerBound + 6] ^= 1
        try bytes.write(to: URL(filePath: path))
        let message = refusal {
            var source = try EconMLFile(path: path).source(outcome: 0)
            while try source.nextTree() != nil {}
        }
        #expect(message.contains("threshold.npy is damaged"), "\(message)")
    }
}
