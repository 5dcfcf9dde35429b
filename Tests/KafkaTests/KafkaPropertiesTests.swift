import Base
import Kafka
import Testing

@Suite("Kafka properties")
struct KafkaPropertiesTests {
    @Test("Order is kept, a later value replaces the earlier one in place, nil removes")
    func order() {
        var properties: KafkaProperties = ["b": "1", "a": "2"]
        properties["b"] = "3"
        properties.setDefault("a", "9")
        properties.setDefault("c", "4")
        #expect(properties.description == "b=3\na=2\nc=4")
        #expect(properties.merging(["a": "5", "d": "6"]).description == "b=3\na=5\nc=4\nd=6")
        properties["b"] = nil
        #expect(properties["b"] == nil)
        #expect(properties.description == "a=2\nc=4")
    }

    @Test(
        "Secrets are never printed",
        arguments: [
            "sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem", "sasl.oauthbearer.config",
            "sasl.oauthbearer.client.secret", "SASL.PASSWORD",
        ])
    func secrets(_ key: String) {
        let properties: KafkaProperties = [(key): "hunter2"]
        #expect(properties.description == "\(key)=\(Secrets.mask)")
        let error = #expect(throws: ImpactError.self) {
            try KafkaProperties(dictionaryLiteral: (key, "hunter2"), ("no.such.key", "hunter2")).validate()
        }
        #expect(error?.message.contains("hunter2") == false)
    }

    @Test("An unknown key is an error that suggests the nearest one")
    func unknown() {
        let error = #expect(throws: ImpactError.self) { try properties("bootstrap.server", "x").validate() }
        #expect(error?.kind == .badConfiguration)
        #expect(error?.code == "kafka_property")
        #expect(error?.message == "librdkafka knows no property bootstrap.server; did you mean bootstrap.servers?")
        let foreign = #expect(throws: ImpactError.self) {
            try properties("qqqqqqqqqqqqqqqqqqqqqqqqqqqq", "x").validate()
        }
        #expect(foreign?.message.contains("did you mean") == false)
    }

    @Test("A bad value is an error that names key and value, but no secret")
    func badValue() {
        let error = #expect(throws: ImpactError.self) { try properties("linger.ms", "soon").validate() }
        #expect(error?.message.hasPrefix("Kafka property linger.ms=soon: ") == true)
    }

    @Test("Without an address there is no client")
    func noBootstrap() {
        let error = #expect(throws: ImpactError.self) { try KafkaHandle(.consumer, properties: [:], component: "x") }
        #expect(error?.code == "missing_bootstrap")
        #expect(error?.kind == .badConfiguration)
    }

    private func properties(_ key: String, _ value: String) -> KafkaProperties { [key: value] }
}
