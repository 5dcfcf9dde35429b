import Base
import Pipeline
import Settings
import Sinks
import TestSupport
import Testing

/// What `config` and every command that reads a configuration refuse before a broker is asked.
@Suite("Kafka settings before any broker")
struct ClientCheckTests {
    private func problem(_ settings: [String]) throws -> ImpactError? {
        let configuration = try Configuration(
            groups: [PipelineSettings()], file: nil, environment: [:], overrides: settings)
        do throws(ImpactError) { try ClientCheck.check(configuration) } catch { return error }
        return nil
    }

    @Test(
        "What cannot start is named",
        arguments: [
            ("kafka_client", ["kafka.security.protocol=SASL_SSL", "kafka.sasl.mechanism=FOO"]),
            ("kafka_client", ["kafka.security.protocol=SASL_SSL", "kafka.sasl.mechanism=PLAIN"]),
            ("kafka_client", ["kafka.security.protocol=SSL", "kafka.ssl.ca.location=/nonexistent"]),
            ("kafka_client", ["kafka.producer.acks=1"]),
            ("kafka_property", ["kafka.producer.linger.ms=soon"]),
            ("kafka_property_fixed", ["kafka.group.id=mine"]),
            ("kafka_property_fixed", ["kafka.transactional.id=mine"]),
            ("kafka_property_fixed", ["kafka.consumer.isolation.level=read_uncommitted"]),
            ("kafka_property_fixed", ["kafka.producer.enable.idempotence=false"]),
            ("kafka_property_fixed", ["kafka.bootstrap.servers=a:1"]),
        ] as [(String, [String])])
    func refused(code: String, settings: [String]) throws {
        let problem = try problem(settings)
        #expect(problem?.code == code, "\(settings): \(problem?.message ?? "accepted")")
    }

    @Test(
        "What can start is not",
        arguments: [
            [], ["kafka.consumer.isolation.level=read_committed"], ["kafka.producer.compression.type=zstd"],
            [
                "kafka.security.protocol=SASL_SSL", "kafka.sasl.mechanism=SCRAM-SHA-256", "kafka.sasl.username=u",
                "kafka.sasl.password=p",
            ],
            ["kafka.security.protocol=SASL_PLAINTEXT", "kafka.sasl.mechanism=GSSAPI"],
            ["kafka.security.protocol=SASL_SSL", "kafka.sasl.mechanism=OAUTHBEARER"],
        ] as [[String]])
    func accepted(settings: [String]) throws {
        let problem = try problem(settings)
        #expect(problem == nil, "\(settings): \(problem?.message ?? "")")
    }
}
