import Base
import Foundation
import Pipeline
import Settings
import Sinks
import TestSupport
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("settings") }

    private func file(_ text: String) throws -> String { try folder.write(text, "\(UUID().uuidString).properties") }

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

    @Test("Each key is declared once, its default is taken, and each property reads its own key")
    func keys() throws {
        let configuration = try Configuration(file: nil, environment: [:], overrides: [])
        #expect(Set(configuration.keys.map(\.name)).count == configuration.keys.count)
        #expect(configuration.keys.count > 30)
        for key in configuration.keys {
            #expect(throws: Never.self) { try key.parseAny(key.defaultText) }
            #expect(!key.summary.isEmpty)
        }
        #expect(configuration.workers == 1)
        #expect(configuration.stateCacheBytes == 67_108_864)
        #expect(configuration.guarantee == .exactlyOnce)
        #expect(configuration.logStore == nil)
        #expect(!configuration.acceptsAnyKey && configuration.usesLocalStore)
        let other = try Configuration(
            file: nil, environment: [:],
            overrides: [
                "log.store=sqlite:a.db", "input.key=any", "state.store=none", "processing.guarantee=at_least_once",
                "input.topics=a, b",
            ])
        #expect(other.logStore?.path == "a.db")
        #expect(other.acceptsAnyKey && !other.usesLocalStore && other.guarantee == .atLeastOnce)
        #expect(other.inputTopics == ["a", "b"])
    }

    @Test("A secret comes from a file of its own; the listing says which, and not what is in it")
    func secretFiles() throws {
        let file = try folder.write("hunter2\n", "secret")
        let url = try folder.write("postgresql://scores:hunter2@db/impactiq\n", "url")
        let configuration = try Configuration(
            file: nil, environment: ["IMPACTIQ_LOG_STORE_FILE": url],
            overrides: ["kafka.sasl.password.file=\(file)"])
        #expect(configuration.entry("kafka.sasl.password")?.value == "hunter2")
        #expect(configuration.logStore?.description == "postgresql://db/impactiq")
        #expect(!configuration.listing.contains { $0.value.contains("hunter2") })
        #expect(configuration.listing.contains { $0.origin == "file \(file)" })
        for wrong in ["kafka.sasl.password.file=/nowhere", "kafka.sasl.password.file=credentials:none"] {
            let error = #expect(throws: ImpactError.self) {
                try Configuration(file: nil, environment: [:], overrides: [wrong])
            }
            #expect(error?.kind == .badConfiguration)
        }
    }

    @Test(
        "No error repeats a secret",
        arguments: [
            "kafka.sasl.password:hunter2", "log.store=postgresq://scores:hunter2@db/x", "hunter2",
            "log.store=postgresql://scores:hunter2@db:x/y", "sasl.pasword=hunter2", "log.store=mysql://a:hunter2@b/c",
            "log.store=postgresql:/scores:hunter2@db", "log.stor=postgresql://scores:hunter2@db/x",
        ])
    func errorsHoldNoSecret(override: String) throws {
        let error = #expect(throws: ImpactError.self) {
            try Configuration(file: nil, environment: [:], overrides: [override])
        }
        #expect(error?.message.contains("hunter2") == false, "\(error?.message ?? "")")
        let path = try file("workers=1\n\(override.replacing("=", with: " "))\n")
        do throws(ImpactError) {
            // A colon separates too: then the file sets the key.
            let configuration = try Configuration(file: path, environment: [:], overrides: [])
            #expect(!configuration.listing.contains { $0.value.contains("hunter2") })
        } catch {
            #expect(!error.message.contains("hunter2"), "\(error.message)")
        }
    }
}
