import Base
import Foundation
import Pipeline
import Settings
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    private func file(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "impactiq-\(UUID().uuidString).properties")
        try text.write(to: path, atomically: true, encoding: .utf8)
        return path.path
    }

    @Test("The command line wins over the environment, the environment over the file, the file over the default")
    func precedence() throws {
        let path = try file("workers=2\ncommit.interval.ms: 50\nsome = \\\n")
        #expect(throws: ImpactError.self) {
            try Configuration(file: path, environment: [:], overrides: [])
        }
        let good = try file("# a comment\nworkers=2\ncommit.interval.ms: 50\noutput.topic = \\\n  scores\n")
        let configuration = try Configuration(
            file: good, environment: ["IMPACTIQ_WORKERS": "3", "IMPACTIQ_COMMIT_INTERVAL_MS": "60", "HOME": "/"],
            overrides: ["workers=4"])
        #expect(configuration.workers == 4)
        #expect(configuration.commitIntervalMilliseconds == 60)
        #expect(configuration.outputTopic == "scores")
        #expect(configuration.entry("output.topic")?.origin == .file(path: good, line: 4))
        #expect(configuration.inputTopics == ["events"])
    }

    @Test(
        "An unknown key names where it stands and suggests the nearest one",
        arguments: [
            ("worker=2", "workers"), ("bootstrap.server=x:1", "bootstrap.servers"), ("modl.path=m", "model.path"),
        ])
    func unknownKeys(line: String, suggestion: String) throws {
        let path = try file("\n\(line)\n")
        let error = #expect(throws: ImpactError.self) {
            try Configuration(file: path, environment: [:], overrides: [])
        }
        #expect(error?.kind == .badConfiguration)
        #expect(error?.message.contains("\(path):2") == true)
        #expect(error?.message.contains("'\(suggestion)'") == true)
    }

    @Test("An unknown environment variable is an error too, but not those that steer the process")
    func unknownVariable() throws {
        #expect(throws: ImpactError.self) {
            try Configuration(file: nil, environment: ["IMPACTIQ_WORKRES": "2"], overrides: [])
        }
        _ = try Configuration(file: nil, environment: ["IMPACTIQ_LOG": "debug"], overrides: [])
    }

    @Test(
        "Unfit values are refused when they are set",
        arguments: [
            "workers=0", "workers=many", "commit.interval.ms=-1", "processing.guarantee=maybe", "log.store=mysql://x",
            "confidence.level=1.5", "input.topics=,", "log.store.index.users=yes",
        ])
    func unfitValues(override: String) {
        let error = #expect(throws: ImpactError.self) {
            try Configuration(file: nil, environment: [:], overrides: [override])
        }
        #expect(error?.code == "bad_value")
    }

    @Test("Keys of librdkafka pass through, the client's own after the common ones")
    func passThrough() throws {
        let configuration = try Configuration(
            file: nil, environment: ["IMPACTIQ_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"],
            overrides: ["kafka.linger.ms=5", "kafka.producer.linger.ms=1", "kafka.consumer.fetch.min.bytes=10"])
        let producer = Dictionary(uniqueKeysWithValues: configuration.passThrough(client: "producer").map { ($0, $1) })
        #expect(producer == ["security.protocol": "SASL_SSL", "linger.ms": "1"])
        let consumer = Dictionary(uniqueKeysWithValues: configuration.passThrough(client: "consumer").map { ($0, $1) })
        #expect(consumer == ["security.protocol": "SASL_SSL", "linger.ms": "5", "fetch.min.bytes": "10"])
    }

    @Test("The listing shows every key and no secret")
    func listing() throws {
        let configuration = try Configuration(
            file: nil, environment: [:],
            overrides: [
                "kafka.sasl.password=hunter2", "log.store=postgresql://scores:hunter2@db/impactiq",
                "kafka.ssl.key.password=hunter2",
            ])
        let lines = configuration.listing
        #expect(Set(lines.map(\.name)).isSuperset(of: configuration.keys.map(\.name)))
        #expect(!lines.contains { $0.value.contains("hunter2") })
        #expect(lines.contains { $0.value == "postgresql://scores:********@db/impactiq" })
    }
}
