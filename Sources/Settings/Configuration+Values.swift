import Base
import Foundation

extension Configuration {
    /// How far the product's promise goes.
    package enum Guarantee: String, Sendable { case exactlyOnce = "exactly_once", atLeastOnce = "at_least_once" }

    package var applicationID: String { text("application.id") }
    package var bootstrapServers: String { text("bootstrap.servers") }
    package var inputTopics: [String] { list("input.topics") }
    package var inputMergeWaitMilliseconds: Int { integer("input.merge.wait.ms") }
    package var acceptsAnyKey: Bool { text("input.key") == "any" }
    package var outputTopic: String { text("output.topic") }
    package var forwardedHeaders: [String] { list("forward.headers").filter { $0 != "none" } }
    package var deadLetterTopic: String { text("dead.letter.topic") }
    package var modelPath: String { text("model.path") }
    package var workers: Int { integer("workers") }
    package var stateDirectory: String { text("state.dir") }
    package var usesLocalStore: Bool { text("state.store") == "rocksdb" }
    package var checkpointIntervalMilliseconds: Int { integer("state.checkpoint.interval.ms") }
    package var stateCacheBytes: Int { integer("state.cache.bytes") }
    package var standbyReplicas: Int { integer("num.standby.replicas") }
    package var stateMemoryBytes: Int { integer("state.memory.bytes") }
    package var commitIntervalMilliseconds: Int { integer("commit.interval.ms") }
    package var guarantee: Guarantee { Guarantee(rawValue: text("processing.guarantee")) ?? .exactlyOnce }
    package var scoreEvents: [String] { list("score.events") }
    package var decisionThreshold: Double { number("decision.threshold") }
    package var confidenceLevel: Double { number("confidence.level") }
    package var logStore: String { text("log.store") }
    package var indexesUsers: Bool { text("log.store.index.users") == "true" }
    package var erasesLogStore: Bool { text("log.store.erase") == "true" }
    package var requiresLogStore: Bool { text("log.store.required") == "true" }
    package var httpListen: String { text("http.listen") }
    package var messageMaxBytes: Int { integer("message.max.bytes") }
    package var eventTimeMaxAheadMilliseconds: Int64 { Int64(integer("event.time.max.ahead.ms")) }
    package var eventTimeMaxBehindMilliseconds: Int64 { Int64(integer("event.time.max.behind.ms")) }
    package var batchMaxEvents: Int { integer("batch.max.events") }
    package var groupInstanceID: String { text("group.instance.id") }
    package var protectsFromPoison: Bool { text("poison.protection") == "true" }
    package var shutdownTimeoutMilliseconds: Int { integer("shutdown.timeout.ms") }

    /// The name of the changelog topic.
    package var changelogTopic: String { "\(applicationID)-state-changelog" }

    /// Settings that go to librdkafka as they are: those for every client, then those for the one asked for.
    /// - Parameter client: `consumer` or `producer`.
    package func passThrough(client: String) -> [(key: String, value: String)] {
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
    package func required(_ name: String) throws(ImpactError) -> String {
        let value = text(name)
        guard value.isEmpty else { return value }
        throw ImpactError(
            .badConfiguration, code: "missing_value",
            "\(name) is not set: give it in the configuration file, as \(ConfigurationKey.environmentVariable(for: name)), "
                + "or with --set \(name)=…")
    }

    package func text(_ name: String) -> String { entry(name)?.value ?? "" }

    package func list(_ name: String) -> [String] {
        text(name).split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    // Values were checked when they were set: the fallbacks are never reached.
    private func integer(_ name: String) -> Int { Int(text(name)) ?? 0 }
    private func number(_ name: String) -> Double { Double(text(name)) ?? 0 }
}
