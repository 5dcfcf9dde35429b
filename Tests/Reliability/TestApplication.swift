import Base
import Foundation
import Kafka
import Synchronization

/// One application over a stream: topics of its own, started and killed as `impactiq run` processes.
package final class TestApplication: Sendable {
    package enum StoreChoice: Sendable, Equatable {
        case none, sqlite
        case file(path: String)
        case postgresql(url: String)
    }

    package let name: String
    package let stream: TestStream
    package let folder: String
    package let logStore: StoreChoice
    private let settings: [String]
    private let launches = Atomic<Int>(0)

    package var output: String { "\(name)-scores" }
    package var deadLetter: String { "\(name)-dead" }
    package var changelog: String { "\(name)-state-changelog" }
    package var database: String {
        if case .file(let path) = logStore { return path }
        return "\(folder)/scores.db"
    }

    /// - Parameter settings: `key=value` for every process.
    package init(
        _ name: String, stream: TestStream, logStore: StoreChoice = .none, settings: [String] = []
    ) throws {
        self.name = name
        self.stream = stream
        self.logStore = logStore
        self.settings = settings
        folder = "\(stream.site.folder)/\(name)"
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let admin = try stream.site.admin()
        defer { admin.close() }
        try admin.create([
            .scores(output, partitions: stream.partitions), .deadLetter(deadLetter, partitions: stream.partitions),
            .changelog(changelog, partitions: stream.partitions),
        ])
        try stream.site.awaitTopics([stream.topic, output, deadLetter, changelog])
    }

    /// The `--set` words that every command on this application takes.
    package func configuration(instance: String) -> [String] {
        var all = [
            "bootstrap.servers=\(stream.site.bootstrap)", "application.id=\(name)", "input.topics=\(stream.topic)",
            "output.topic=\(output)", "dead.letter.topic=\(deadLetter)", "model.path=\(stream.site.model)",
            "state.dir=\(folder)/state-\(instance)", "group.instance.id=\(instance)",
        ]
        switch logStore {
        case .none: break
        case .sqlite, .file: all.append("log.store=sqlite:\(database)")
        case .postgresql(let url): all.append("log.store=\(url)")
        }
        return (all + settings).flatMap { ["--set", $0] }
    }

    /// Starts a process.
    ///
    /// - Parameters:
    ///   - instance: names the member; a second process of the same name takes the first one's place.
    ///   - killPoint: where it is to die, as `after-commit:3`.
    package func launch(
        instance: String = "a", killPoint: String? = nil, environment: [String: String] = [:], settings: [String] = [],
        logged: String = "run"
    ) throws -> ChildProcess {
        var variables = environment
        if let killPoint { variables[KillPoint.variable] = killPoint }
        let number = launches.wrappingAdd(1, ordering: .relaxed).newValue
        let command =
            [stream.site.program, "run", "--for", "1h"] + configuration(instance: instance)
            + settings.flatMap { ["--set", $0] }
        return try ChildProcess(
            command, environment: stream.site.environment(variables),
            log: "\(folder)/\(logged)-\(instance)-\(number).log")
    }

    /// Starts another command on this application.
    package func command(_ words: [String], environment: [String: String] = [:]) throws -> ChildProcess {
        let number = launches.wrappingAdd(1, ordering: .relaxed).newValue
        return try ChildProcess(
            [stream.site.program] + words + configuration(instance: "a"),
            environment: stream.site.environment(environment),
            log: "\(folder)/command-\(number).log")
    }

    /// Whether the committed offsets have reached the end of the input.
    package func isDone(_ ends: [TopicPartition: Int64], admin: Admin) -> Bool {
        guard let committed = try? admin.committedOffsets(ofGroup: name, stable: false) else { return false }
        return ends.allSatisfy { $0.value == 0 || committed[$0.key] == $0.value }
    }

    /// Sum of the committed offsets.
    package func progress(admin: Admin) -> Int64 {
        ((try? admin.committedOffsets(ofGroup: name, stable: false)) ?? [:]).values.reduce(0, +)
    }

    package func delete() {
        if let admin = try? stream.site.admin() {
            try? admin.delete(topics: [output, deadLetter, changelog])
            try? admin.delete(group: name)
            admin.close()
        }
        try? FileManager.default.removeItem(atPath: folder)
    }
}
