import Base
import Events
import Foundation

/// What a replay is, fixed before the first record is read and kept beside its output, so that a second try after a
/// kill does the same work: the end that was captured, the model, and whatever else decides a byte.
package struct ReplayPlan: Sendable, Equatable, Codable {
    struct Span: Sendable, Equatable, Codable {
        var partition: Int32
        var first: Int64
        var from: Int64
        var end: Int64
    }

    /// What was asked for, in words: a second try must ask the same.
    package var request: [String: String]
    private var spans: [Span]

    package init(request: [String: String], spans: [PartitionSpan]) {
        self.request = request
        self.spans = spans.map { Span(partition: $0.partition, first: $0.first, from: $0.from, end: $0.end) }
    }

    package var partitions: [PartitionSpan] {
        spans.map { PartitionSpan(partition: $0.partition, first: $0.first, from: $0.from, end: $0.end) }
    }

    /// What another plan asks differently; nil when both ask the same.
    package func difference(to other: [String: String]) -> String? {
        Set(request.keys).union(other.keys).sorted().first { request[$0] != other[$0] }
    }
}

/// The folder beside the output in which a replay grows: its plan, the partitions' parts, and their checkpoints.
///
/// ```
/// OUT.replay/plan.json        what this replay is
///           /scores-3         partition 3's part of the output
///           /changes-3        its part of --changes
///           /state-3          its checkpoint: positions, counters, users' records
///           /done-3           its counters: partition 3 is complete
/// ```
/// Removed when the output is whole.
package struct ReplayFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// The plan of an earlier try; nil when there is none.
    ///
    /// - Throws: `checkpoint_damaged`.
    package func plan() throws(ImpactError) -> ReplayPlan? {
        try read("plan.json", as: ReplayPlan.self)
    }

    /// Makes the folder and writes the plan.
    package func begin(_ plan: ReplayPlan) throws(ImpactError) {
        Folder.remove(path)
        try OutputFolder.make(path, for: path.hasSuffix(".replay") ? String(path.dropLast(".replay".count)) : path)
        try write(plan, "plan.json")
    }

    package func remove() { Folder.remove(path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func read<Value: Decodable>(_ name: String, as type: Value.Type) throws(ImpactError) -> Value? {
        guard let data = FileManager.default.contents(atPath: file(name)) else { return nil }
        do { return try JSONDecoder().decode(type, from: data) } catch { throw damaged(name) }
    }

    func damaged(_ name: String) -> ImpactError {
        ImpactError(
            .badInput, code: "checkpoint_damaged",
            "\(file(name)) cannot be read; delete the folder \(path) and run the command again")
    }

    /// Writes a file that is there whole or not at all.
    func write<Value: Encodable>(_ value: Value, _ name: String) throws(ImpactError) {
        let data: Data
        do { data = try JSONEncoder().encode(value) } catch {
            throw ImpactError(.failed, code: "file_failed", "cannot encode \(name): \(error)")
        }
        try OutputFile.write([UInt8](data), to: file(name))
    }
}
