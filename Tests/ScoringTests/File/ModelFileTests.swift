import Base
import Foundation
import Scoring
import TestSupport
import Testing

@Suite("Model file")
struct ModelFileTests {
    private let info = ForestInfo(
        kind: .econml, parameters: 2, treatments: 1, groupSize: 4, featureCount: 10, missing: .route)

    private func code(_ path: String, verify: ModelCheck = .checksum) -> String? {
        do throws(ImpactError) {
            _ = try Model.open(path: path, verify: verify)
            return nil
        } catch {
            #expect(error.message.hasPrefix(path) || error.message.contains(path), "the message names the file")
            return error.code
        }
    }

    private func write(_ bytes: [UInt8], _ path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

    /// A small valid model's bytes.
    private func example(_ file: TemporaryModel, missing: MissingValues = .route) throws -> [UInt8] {
        var info = info
        info.missing = missing
        var grower = ForestGrower(info: info, generator: .announced())
        _ = try file.build([grower.forest(trees: 12, largest: 40)], info)
        return Array(try Data(contentsOf: URL(filePath: file.path)))
    }

    /// The same content with a header that fits it.
    private func sealed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let digest = SHA256.digest(Array(bytes[4096...]))
        bytes.replaceSubrange(24..<56, with: digest)
        let count = UInt64(bytes.count - 4096)
        for byte in 0..<8 { bytes[16 + byte] = UInt8(truncatingIfNeeded: count >> UInt64(8 * byte)) }
        return bytes
    }

    @Test("The same forest gives the same file, whose SHA-256 is that of its content")
    func roundTrip() throws {
        var grower = ForestGrower(info: info, generator: .announced())
        let trees = grower.forest(trees: 20)
        let (first, second) = (TemporaryModel(), TemporaryModel())
        let model = try first.build([trees], info)
        _ = try second.build([trees], info)
        let bytes = Array(try Data(contentsOf: URL(filePath: first.path)))
        #expect(bytes == Array(try Data(contentsOf: URL(filePath: second.path))))
        #expect(model.sha256 == SHA256.hex(SHA256.digest(Array(bytes[4096...]))))
        #expect(model.featureNames == (0..<10).map { "x\($0)" })
        #expect(model.treatments == ["arm0"] && model.outcomes == ["outcome0"] && model.missingValues == .route)
        let summary = try #require(model.summaries.first)
        #expect(summary.trees == 20)
        #expect(summary.nodes == trees.reduce(0) { $0 + $1.left.count })
        #expect(summary.leaves == trees.reduce(0) { $0 + $1.left.filter { $0 < 0 }.count })
        #expect(summary.deepest >= 60)
        #expect(summary.leafBytes == 32 && summary.storedValues == 4 && summary.values == 6)
        #expect(abs(summary.splitImportance.reduce(0, +) - 1) < 1e-12)
    }

    @Test("Damaged, cut, foreign and future files are refused, each with its reason")
    func refusals() throws {
        let file = TemporaryModel()
        let bytes = try example(file)
        let path = file.path
        #expect(code(path) == nil)
        #expect(code(path + ".absent") == "file_not_readable")
        #expect(code("/tmp") == "file_not_readable")
        try write([], path)
        #expect(code(path) == "foreign_model")
        try write(Array("user_id,recency\n1,2\n".utf8), path)
        #expect(code(path) == "foreign_model")
        for cut in [9, 100, 4095, 4096, 4097, 5000, bytes.count / 2, bytes.count - 1] {
            try write(Array(bytes.prefix(cut)), path)
            #expect(code(path) == "truncated_model", "cut at \(cut)")
        }
        try write(bytes + [0], path)
        #expect(code(path) == "damaged_model")
        var future = bytes
        future[8] = 3
        try write(future, path)
        #expect(code(path) == "unknown_model_version")
        var generator = SeededGenerator.announced()
        for _ in 0..<50 {
            var damaged = bytes
            damaged[Int.random(in: 4096..<bytes.count, using: &generator)] ^=
                1 << UInt8.random(in: 0..<8, using: &generator)
            try write(damaged, path)
            #expect(code(path) == "checksum_mismatch")
        }
    }

    @Test("A file with any bits and a right checksum is refused, or scores without harm on every kernel")
    func hostileFiles() throws {
        let file = TemporaryModel()
        let bytes = try example(file)
        var generator = SeededGenerator.announced()
        var (refused, scored) = (0, 0)
        let rows = [Float](repeating: 0.25, count: 65_536)
        for _ in 0..<1500 {
            var hostile = bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                // Half the time in the directory, which is dense with numbers that matter.
                let end = Bool.random(using: &generator) ? 4096 + 500 : bytes.count
                let place = Int.random(in: 4096..<end, using: &generator)
                let value: UInt8 =
                    [0, 1, 0x7F, 0x80, 0xFF, .random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator) ?? 0
                for offset in 0..<Int.random(in: 1...4, using: &generator) where place + offset < bytes.count {
                    hostile[place + offset] = value
                }
            }
            try write(sealed(hostile), file.path)
            guard let model = try? Model.open(path: file.path) else {
                refused += 1
                continue
            }
            scored += 1
            guard model.rowStride * 8 <= rows.count, model.effectCount < 100 else { continue }
            for kernel in Kernel.available {
                let scorer = Scorer(model: model, maxRows: 8, kernel: kernel)
                var estimates = [Estimate](
                    repeating: Estimate(effect: 0, standardError: 0), count: 8 * model.effectCount)
                scorer.score(rows: rows, stride: model.rowStride, count: 8, into: &estimates)
                scorer.score(rows: rows, stride: model.rowStride, count: 1, into: &estimates)
            }
        }
        #expect(refused > 100 && scored > 100, "\(refused) refused, \(scored) scored")
    }

    @Test("Opening without the checksum still checks every tile")
    func structureAlone() throws {
        let file = TemporaryModel()
        let bytes = try example(file)
        // The last tile cannot lead to a later one.
        var hostile = bytes
        let exit = bytes.count - 64 + 28
        hostile.replaceSubrange(exit..<exit + 3, with: [2, 0, 0])
        try write(hostile, file.path)
        #expect(code(file.path, verify: .checksum) == "checksum_mismatch")
        #expect(code(file.path, verify: .structure) == "damaged_model")
        #expect(code(file.path, verify: false) == "damaged_model")
        #expect(code(file.path, verify: .trusted) == nil)
    }

    @Test("A kernel that is unknown, or that this machine lacks, is an error")
    func kernelNames() throws {
        #expect(try Kernel.named(nil) == Kernel.available[0])
        #expect(try Kernel.named("") == Kernel.available[0])
        #expect(try Kernel.named("scalar") == .scalar)
        #expect(throws: ImpactError.self) { try Kernel.named("sse9") }
        for kernel in Kernel.allCases where !kernel.isAvailable {
            #expect(throws: ImpactError.self) { try Kernel.named(kernel.rawValue) }
        }
    }
}
