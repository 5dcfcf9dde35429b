import Foundation
import Testing

/// `Package.swift` declares what the sources import, and nothing else. (`swift build --explicit-target-dependency-import-check
/// error` finds what is imported and not declared; this also finds what is declared and not imported.)
@Suite("The package's manifest")
struct ManifestTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private struct Declared {
        var name: String
        var dependencies: Set<String>
    }

    /// Targets with Swift sources, as the manifest writes them.
    private static func targets(_ manifest: String) throws -> [Declared] {
        let opening = try Regex(#"\n    (module|program|tests|\.target)\("#)
        // The manifest's own functions come first.
        let manifest = manifest.firstRange(of: "var targets").map { manifest[$0.lowerBound...] } ?? manifest[...]
        return manifest.ranges(of: opening).compactMap { range in
            let rest = manifest[range.upperBound...]
            let end = rest.firstRange(of: "),\n")?.lowerBound ?? rest.endIndex
            var text = String(rest[..<end])
            text.replace(/(in|path|exclude): *(\[[^\]]*\]|"[^"]*")/, with: "")
            let names = text.matches(of: /"([A-Za-z-]+)"/).map { String($0.output.1) }
            return names.first.map { Declared(name: $0, dependencies: Set(names.dropFirst())) }
        }
    }

    private static func folder(_ target: String) -> URL? {
        let places = [
            "Sources/\(target)", "Sources/Analysis/\(target)", "Sources/Learning/\(target)", "Tests/\(target)",
        ]
        let own = target == "impactiq-reliability" ? ["Tests/ReliabilityDriver"] : places
        return own.map { root.appendingPathComponent($0) }.first { FileManager.default.fileExists(atPath: $0.path) }
    }

    private static func imports(_ folder: URL) throws -> Set<String> {
        var found: Set<String> = []
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let lines = /(?:^|\n)(?:@[a-z]+ )?import (?:struct |class |enum |func )?([A-Za-z]+)/
            for match in try String(contentsOf: file, encoding: .utf8).matches(of: lines) {
                found.insert(String(match.output.1))
            }
        }
        return found
    }

    @Test("Each target declares exactly what it imports")
    func declared() throws {
        let manifest = try String(contentsOf: Self.root.appendingPathComponent("Package.swift"), encoding: .utf8)
        let targets = try Self.targets(manifest)
        #expect(targets.count > 40)
        let c = manifest.matches(of: /\n    (?:system|c)\("([A-Za-z]+)"/).map { String($0.output.1) }
        let known = Set(targets.map(\.name)).union(c)
        for target in targets {
            guard let folder = Self.folder(target.name) else {
                Issue.record("there is no folder for \(target.name)")
                continue
            }
            let imported = try Self.imports(folder).intersection(known)
            #expect(target.dependencies == imported, "\(target.name)")
        }
    }

    @Test("Modules import one way, in the order of the manifest")
    func order() throws {
        let manifest = try String(contentsOf: Self.root.appendingPathComponent("Package.swift"), encoding: .utf8)
        var above: Set<String> = []
        let modules = try Self.targets(manifest).filter { !$0.name.hasSuffix("Tests") }
        let names = Set(modules.map(\.name))
        for module in modules {
            #expect(module.dependencies.intersection(names).isSubset(of: above), "\(module.name)")
            above.insert(module.name)
        }
    }

    @Test("No function is marked inlinable that Swift does not inline in other modules")
    func inlinable() throws {
        let files = FileManager.default.enumerator(
            at: Self.root.appendingPathComponent("Sources"), includingPropertiesForKeys: nil)
        let mark = /@inlinable(?: @inline\(__always\))?\s+package/
        var read = 0
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            read += 1
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(text.firstMatch(of: mark) == nil, "\(file.lastPathComponent): say 'public' (see CONTRIBUTING.md)")
        }
        #expect(read > 100)
    }
}
