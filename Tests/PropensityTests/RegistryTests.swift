import Base
import Foundation
import Scoring
import Testing

@Suite struct RegistryTests {
    private func model(_ version: String, in folder: String, intercept: Double) throws -> String {
        let path = "\(folder)/\(version).file"
        let composition = Composition(
            kind: Composition.response,
            parts: [.linear(.init(name: "buys", intercept: intercept, terms: [], link: .logistic))], effects: [.part(0)]
        )
        var builder = try ModelBuilder(
            metadata: ModelMetadata(
                name: "shop", version: version, treatments: ["none"], outcomes: ["buys"], featureNames: ["x"],
                composition: composition), path: path)
        try builder.finish()
        return path
    }

    @Test func promoteAndRollBack() throws {
        let folder = NSTemporaryDirectory() + "/registry-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let registry = ModelRegistry(folder: folder + "/models")
        for version in ["1", "2", "3"] {
            try registry.add(try model(version, in: folder, intercept: Double(version) ?? 0))
        }
        #expect(try registry.promote("shop", "1", to: "production") == nil)
        #expect(try registry.promote("shop", "2", to: "production") == "1")
        #expect(try registry.promote("shop", "3", to: "production") == "2")
        #expect(try registry.resolve("shop@production").hasSuffix("/shop/3.model"))
        #expect(try registry.rollback("shop", stage: "production") == "2")
        #expect(try registry.rollback("shop", stage: "production") == "1")
        #expect(throws: ImpactError.self) { try registry.rollback("shop", stage: "production") }
        #expect(try registry.resolve("shop@production").hasSuffix("/shop/1.model"))
        #expect(try registry.resolve("shop@2").hasSuffix("/shop/2.model"))
        #expect(try registry.resolve("a/b@c.model") == "a/b@c.model")
        #expect(throws: ImpactError.self) { try registry.resolve("shop@nowhere") }
        #expect(throws: ImpactError.self) { try registry.promote("../x", "1", to: "production") }
        #expect(try registry.list().entries.map(\.version) == ["1", "2", "3"])
        #expect(try registry.list().entries[0].stages == ["production"])
        // A file that is not the one that was added is not used; a damaged list of stages hides no other model.
        let taken = folder + "/models/shop/3.model"
        let kept = try Data(contentsOf: URL(filePath: taken))
        let foreign = try model("3", in: folder, intercept: 77)
        try FileManager.default.removeItem(atPath: taken)
        try FileManager.default.copyItem(atPath: foreign, toPath: taken)
        #expect(throws: ImpactError.self) { try registry.entry("shop", "3") }
        #expect(try registry.list().faults.map(\.name) == ["shop"])
        #expect(try registry.list().entries.map(\.version) == ["1", "2"])
        #expect(try registry.promote("shop", "2", to: "staging") == nil)
        try FileManager.default.removeItem(atPath: folder + "/models/shop/2.model")
        let gone = try registry.list()
        #expect(gone.faults.contains { $0.what.contains("staging") && $0.what.contains("gone") })
        #expect(throws: ImpactError.self) { try registry.resolve("shop@staging") }
        try kept.write(to: URL(filePath: taken))
        try registry.add(folder + "/2.file")
        try FileManager.default.createDirectory(atPath: folder + "/models/other", withIntermediateDirectories: true)
        try Data("{".utf8).write(to: URL(filePath: folder + "/models/other/stages.json"))
        let damaged = try registry.list()
        #expect(damaged.entries.map(\.version) == ["1", "2", "3"] && damaged.faults.map(\.name) == ["other"])
        #expect(throws: ImpactError.self) { try ModelRegistry(folder: taken).list() }
        // The same bytes again are not a change; other bytes under a version that is taken are refused.
        try registry.add(folder + "/2.file")
        let other = try model("2", in: folder, intercept: 9)
        #expect(throws: ImpactError.self) { try registry.add(other) }
    }
}
