import Base
import Consumer
import Kafka
import Settings
import Sinks

/// The `kafka.*` settings, checked before any broker is asked: by librdkafka, and against what the program sets itself.
package enum ClientCheck {
    /// - Throws: `kafka_property` for what librdkafka does not take, `kafka_property_fixed` for what the program's
    ///   guarantees rest on, `kafka_client` for settings that do not go together.
    package static func check(_ configuration: Configuration) throws(ImpactError) {
        let name = configuration.applicationID
        for (client, kind) in [("consumer", KafkaHandle.Kind.consumer), ("producer", .producer)] {
            let user = configuration.kafkaProperties(client: client)
            try user.validate()
            let all =
                kind == .consumer
                ? ConsumerOptions(group: name).properties(user)
                : ProducerOptions(transactionalID: name).properties(user)
            for (key, value) in configuration.passThrough(client: client) {
                guard key != "bootstrap.servers" else {
                    throw ImpactError(
                        .badConfiguration, code: "kafka_property_fixed",
                        "kafka.bootstrap.servers: set bootstrap.servers, which all parts of the program read")
                }
                guard let own = all[key], own != value else { continue }
                throw ImpactError(
                    .badConfiguration, code: "kafka_property_fixed",
                    "kafka.\(key)=\(Secrets.masked(key, value)): exactly-once processing rests on \(key)=\(own), which the "
                        + "program sets itself; take the key out")
            }
            try all.validate(as: kind)
        }
    }
}
