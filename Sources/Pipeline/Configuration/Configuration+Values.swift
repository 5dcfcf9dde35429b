import Diagnostics
import Foundation

extension Configuration {
    /// How far the product's promise goes.
    public enum Guarantee: String, Sendable { case exactlyOnce = "exactly_once", atLeastOnce = "at_least_once" }

    public var applicationID: String { text("application.id") }
    public var bootstrapServers: String { text("bootstrap.servers") }
    public var inputTopics: [String] { list("input.topics") }
    public var acceptsAnyKey: Bool { text("input.key") == "any" }
    public var outputTopic: String { text("output.topic") }
    public var deadLetterTopic: String { text("dead.letter.topic") }
    public var modelPath: String { text("model.path") }
    public var workers: Int { integer("workers") }
    public var stateDirectory: String { text("state.dir") }
    public var usesLocalStore: Bool { text("state.store") == "rocksdb" }
    public var checkpointIntervalMilliseconds: Int { integer("state.checkpoint.interval.ms") }
    public var stateCacheBytes: Int { integer("state.cache.bytes") }
    public var standbyReplicas: Int { integer("num.standby.replicas") }
    public var stateMemoryBytes: Int { integer("state.memory.bytes") }
    public var commitIntervalMilliseconds: Int { integer("commit.interval.ms") }
    public var guarantee: Guarantee { Guarantee(rawValue: text("processing.guarantee")) ?? .exactlyOnce }
    public var scoreEvents: [String] { list("score.events") }
    public var decisionThreshold: Double { number("decision.threshold") }
    public var confidenceLevel: Double { number("confidence.level") }
    public var logStore: String { text("log.store") }
    public var indexesUsers: Bool { text("log.store.index.users") == "true" }
    public var erasesLogStore: Bool { text("log.store.erase") == "true" }
    public var httpListen: String { text("http.listen") }
    public var messageMaxBytes: Int { integer("message.max.bytes") }
    public var eventTimeMaxAheadMilliseconds: Int64 { Int64(integer("event.time.max.ahead.ms")) }
    public var batchMaxEvents: Int { integer("batch.max.events") }
    public var groupInstanceID: String { text("group.instance.id") }
    public var shutdownTimeoutMilliseconds: Int { integer("shutdown.timeout.ms") }

    /// The name of the changelog topic.
    public var changelogTopic: String { "\(applicationID)-state-changelog" }

    /// Settings that go to librdkafka as they are: those for every client, then those for the one asked for.
    /// - Parameter client: `consumer` or `producer`.
    public func passThrough(client: String) -> [(key: String, value: String)] {
        var settings: [String: String] = [:]
        for (name, entry) in entries where name.hasPrefix("kafka.") {
            let isOfOneClient = name.hasPrefix("kafka.consumer.") || name.hasPrefix("kafka.producer.")
            if !isOfOneClient { settings[String(name.dropFirst("kafka.".count))] = entry.value }
        }
        let prefix = "kafka.\(client)."
        for (name, entry) in entries where name.hasPrefix(prefix) {
            settings[String(name.dropFirst(prefix.count))] = entry.value
        }
        return settings.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    }

    /// The value of `name`, or the error that says how to set it.
    public func required(_ name: String) throws(ImpactError) -> String {
        let value = text(name)
        guard value.isEmpty else { return value }
        throw ImpactError(
            .badConfiguration, code: "missing_value",
            "\(name) is not set: give it in the configuration file, as \(ConfigurationKey.environmentVariable(for: name)), "
                + "or with --set \(name)=…")
    }

    func text(_ name: String) -> String { entry(name)?.value ?? "" }

    func list(_ name: String) -> [String] {
        text(name).split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    // Values were checked when they were set: the fallbacks are never reached.
    private func integer(_ name: String) -> Int { Int(text(name)) ?? 0 }
    private func number(_ name: String) -> Double { Double(text(name)) ?? 0 }
}
