import Base
import Foundation

/// A folder of models by name and version, with the stage that each version stands at and how it got there.
///
/// ```
/// FOLDER/
///   purchase/1.model   purchase/2.model …      files as they were added, never changed
///   purchase/stages.json                       {"production":"2","staging":"3","history":[…]}
/// ```
/// `stages.json` is replaced by a rename, so that a reader sees the old stages or the new ones. Writers take a lock.
package struct ModelRegistry: Sendable {
    package let folder: String

    /// The environment's `IMPACTIQ_MODELS`, or `models` beside the process.
    package static var usualFolder: String { ProcessInfo.processInfo.environment["IMPACTIQ_MODELS"] ?? "models" }

    package init(folder: String = ModelRegistry.usualFolder) { self.folder = folder }

    /// A change of a stage.
    package struct Step: Codable, Sendable, Equatable {
        package var stage: String
        package var from: String?
        package var to: String?
        package var time: String
        /// `promote` or `rollback`.
        package var action: String
    }

    /// The stages of one model.
    package struct Stages: Codable, Sendable, Equatable {
        package var stages: [String: String] = [:]
        package var history: [Step] = []
        /// The SHA-256 of each version when it was added; versions of older registries have none.
        package var digests: [String: String]?
    }

    /// What is wrong in the folder: a stage whose version is gone, a file that cannot be read.
    package struct Fault: Sendable, Equatable {
        package var name: String
        package var what: String
    }

    /// A version of a model.
    package struct Entry: Sendable {
        package var name: String
        package var version: String
        package var path: String
        package var stages: [String]
        package var model: Model
    }

    /// Names and versions become folders and files.
    package static func isSafe(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 100 && text != "." && text != ".."
            && text.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || "-_.".utf8.contains($0)
            } && !text.hasPrefix(".")
    }

    private func check(_ texts: String...) throws(ImpactError) {
        for text in texts where !Self.isSafe(text) {
            throw ImpactError(
                .badInput, code: "invalid_name",
                "'\(text)' cannot name a model, a version or a stage here: letters, digits, - _ and . alone")
        }
    }

    private func path(_ name: String, _ version: String) -> String { "\(folder)/\(name)/\(version).model" }

    /// Copies a model into the registry under its own name and version. Adding the same bytes again changes nothing.
    ///
    /// - Throws: `version_taken` when another model stands there.
    @discardableResult
    package func add(_ file: String) throws(ImpactError) -> Entry {
        let model = try Model.open(path: file)
        try check(model.name, model.version)
        let target = path(model.name, model.version)
        if FileManager.default.fileExists(atPath: target) {
            let there = try Model.open(path: target)
            guard there.sha256 == model.sha256 else {
                throw ImpactError(
                    .badInput, code: "version_taken",
                    "\(folder) holds another \(model.name) \(model.version) already (sha256 \(there.sha256.prefix(12))…); "
                        + "train or import it with a version of its own (--version)")
            }
        } else {
            do {
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/\(model.name)", withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
                let partial = "\(target).\(getpid()).partial"
                try? FileManager.default.removeItem(atPath: partial)
                try FileManager.default.copyItem(atPath: file, toPath: partial)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: partial)
                // First, so that the model never stands there without it.
                let signature = ModelSignature.path(of: file)
                if FileManager.default.fileExists(atPath: signature) {
                    try FileManager.default.copyItem(atPath: signature, toPath: ModelSignature.path(of: target))
                }
                guard rename(partial, target) == 0 else { throw CocoaError(.fileWriteUnknown) }
            } catch {
                throw ImpactError(
                    .failed, code: "file_failed", "cannot put the model into \(folder): \(error.localizedDescription)")
            }
        }
        try change(model.name) { stages in
            stages.digests = (stages.digests ?? [:]).merging([model.version: model.sha256]) { $1 }
        }
        return try entry(model.name, model.version)
    }

    /// A model of the registry is the one that was added, or none.
    package func check(_ model: Model, name: String, version: String) throws(ImpactError) {
        guard let known = try stages(name).digests?[version], known != model.sha256 else { return }
        throw ImpactError(
            .badInput, code: "changed_model",
            "\(model.path) is not the file that was added as \(name) \(version) (sha256 \(model.sha256.prefix(12))…, then "
                + "\(known.prefix(12))…): put the old file back, or add the new one under a version of its own")
    }

    package func stages(_ name: String) throws(ImpactError) -> Stages {
        try check(name)
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)/stages.json") else { return Stages() }
        do { return try JSONDecoder().decode(Stages.self, from: data) } catch {
            throw ImpactError(
                .badInput, code: "damaged_registry",
                "\(folder)/\(name)/stages.json is not a registry's list of stages; put back a copy, or remove it and promote anew"
            )
        }
    }

    package func entry(_ name: String, _ version: String) throws(ImpactError) -> Entry {
        try check(name, version)
        let file = path(name, version)
        guard FileManager.default.fileExists(atPath: file) else {
            let known = versions(name)
            throw ImpactError(
                .badInput, code: "unknown_version",
                "\(folder) has no \(name) \(version)"
                    + (known.isEmpty ? "" : "; its versions: \(known.joined(separator: ", "))"))
        }
        let stages = try stages(name).stages.filter { $0.value == version }.map(\.key).sorted()
        let model = try Model.open(path: file)
        try check(model, name: name, version: version)
        return Entry(name: name, version: version, path: file, stages: stages, model: model)
    }

    private func versions(_ name: String) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)")) ?? []
        return files.filter { $0.hasSuffix(".model") }.map { String($0.dropLast(6)) }
            .sorted { $0.compare($1, options: .numeric) == .orderedAscending }
    }

    /// Every version of every model, by name and version, and what is wrong: one fault hides nothing else.
    package func list() throws(ImpactError) -> (entries: [Entry], faults: [Fault]) {
        try checkFolder()
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter(Self.isSafe).sorted()
        var (entries, faults): ([Entry], [Fault]) = ([], [])
        for name in names {
            let versions = versions(name)
            var known: Stages?
            do throws(ImpactError) { known = try stages(name) } catch {
                faults.append(Fault(name: name, what: error.message))
            }
            for (stage, version) in (known?.stages ?? [:]).sorted(by: { $0.key < $1.key })
            where !versions.contains(version) {
                faults.append(
                    Fault(name: name, what: "version \(version) stands at \(stage), but \(path(name, version)) is gone")
                )
            }
            for version in versions {
                do throws(ImpactError) {
                    let model = try Model.open(path: path(name, version))
                    if known != nil { try check(model, name: name, version: version) }
                    let stages = (known?.stages ?? [:]).filter { $0.value == version }.map(\.key).sorted()
                    entries.append(
                        Entry(name: name, version: version, path: model.path, stages: stages, model: model))
                } catch {
                    faults.append(Fault(name: name, what: error.message))
                }
            }
        }
        return (entries, faults)
    }

    /// - Throws: `registry_folder` when something else than a folder stands there.
    package func checkFolder() throws(ImpactError) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), !isFolder.boolValue else {
            return
        }
        throw ImpactError(
            .usage, code: "registry_folder", "\(folder) is a file; the registry is a folder (--models, IMPACTIQ_MODELS)"
        )
    }

    /// Puts a version at a stage. Returns the version that stood there.
    package func promote(_ name: String, _ version: String, to stage: String) throws(ImpactError) -> String? {
        try check(stage)
        _ = try entry(name, version)
        return try change(name) { stages in
            let old = stages.stages[stage]
            stages.stages[stage] = version
            stages.history.append(
                Step(stage: stage, from: old, to: version, time: Date().formatted(.iso8601), action: "promote"))
            return old
        }
    }

    /// Puts the version that stood at a stage before the present one back there. Returns it.
    package func rollback(_ name: String, stage: String) throws(ImpactError) -> String {
        try check(stage)
        return try change(name) { stages throws(ImpactError) in
            guard let now = stages.stages[stage] else {
                throw ImpactError(.badInput, code: "unknown_stage", "\(name) has no version at \(stage)")
            }
            // Each rollback goes one promotion further back: promotions and rollbacks are a stack.
            var stack: [String?] = []
            for step in stages.history where step.stage == stage {
                if step.action == "promote" { stack.append(step.from) } else { _ = stack.popLast() }
            }
            guard let last = stack.last, let before = last else {
                throw ImpactError(
                    .badInput, code: "nothing_to_roll_back", "\(name) \(now) is the first version at \(stage)")
            }
            _ = try entry(name, before)
            stages.stages[stage] = before
            stages.history.append(
                Step(stage: stage, from: now, to: before, time: Date().formatted(.iso8601), action: "rollback"))
            return before
        }
    }

    private func change<Result>(
        _ name: String, _ body: (inout Stages) throws(ImpactError) -> Result
    ) throws(ImpactError) -> Result {
        try check(name)
        let lock = open("\(folder)/\(name)/.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else {
            throw ImpactError(.badInput, code: "unknown_model", "\(folder) has no model '\(name)'")
        }
        defer { close(lock) }
        flock(lock, LOCK_EX)
        var stages = try stages(name)
        let result = try body(&stages)
        let path = "\(folder)/\(name)/stages.json"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        do {
            try OutputFile.write(Array(try encoder.encode(stages)), to: path)
        } catch let error as ImpactError {
            throw error
        } catch {
            throw ImpactError(.failed, code: "file_failed", "cannot write \(path): \(error)")
        }
        return result
    }

    /// The file that a text names: `NAME@STAGE` or `NAME@VERSION` of the registry, or a path as it is.
    package func resolve(_ text: String) throws(ImpactError) -> String { try find(text).path }

    /// The same, with name and version when it is the registry's.
    package func find(_ text: String) throws(ImpactError) -> (path: String, name: String?, version: String?) {
        // A path with an @ is a path.
        guard !text.contains("/"), !FileManager.default.fileExists(atPath: text), let at = text.lastIndex(of: "@")
        else {
            return (text, nil, nil)
        }
        try checkFolder()
        let (name, stage) = (String(text[..<at]), String(text[text.index(after: at)...]))
        try check(name, stage)
        let stages = try stages(name)
        let version = stages.stages[stage] ?? stage
        guard FileManager.default.fileExists(atPath: path(name, version)) else {
            if let gone = stages.stages[stage] {
                throw ImpactError(
                    .badInput, code: "unknown_version",
                    "\(name) \(gone) stands at '\(stage)', but \(path(name, gone)) is gone; put the file back, or promote another "
                        + "version (there are: \(versions(name).joined(separator: ", ")))")
            }
            let known = stages.stages.keys.sorted() + versions(name)
            throw ImpactError(
                .badInput, code: "unknown_stage",
                "\(folder) has no \(name) at '\(stage)'"
                    + (known.isEmpty ? "" : "; there are: \(known.joined(separator: ", "))")
                    + ". The folder is IMPACTIQ_MODELS, or ./models")
        }
        return (path(name, version), name, version)
    }
}
