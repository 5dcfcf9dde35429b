import Base
import CRdkafka
import Foundation

/// librdkafka's properties in the order in which they were set; a later value of a key replaces the earlier one in place.
///
/// Secrets are masked wherever the properties are printed.
package struct KafkaProperties: Sendable, Equatable, CustomStringConvertible, ExpressibleByDictionaryLiteral {
    package struct Entry: Sendable, Equatable {
        package var key: String
        package var value: String
    }

    package private(set) var entries: [Entry] = []

    package init() {}

    package init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { self[key] = value }
    }

    package subscript(key: String) -> String? {
        get { entries.first { $0.key == key }?.value }
        set {
            let place = entries.firstIndex { $0.key == key }
            switch (place, newValue) {
            case (let place?, let value?): entries[place].value = value
            case (let place?, nil): entries.remove(at: place)
            case (nil, let value?): entries.append(Entry(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    /// Sets the key unless the user has set it.
    package mutating func setDefault(_ key: String, _ value: String) {
        if self[key] == nil { self[key] = value }
    }

    /// These properties with the other's on top.
    package func merging(_ other: KafkaProperties) -> KafkaProperties {
        var merged = self
        for entry in other.entries { merged[entry.key] = entry.value }
        return merged
    }

    /// `key=value`, one a line, secrets masked.
    package var description: String {
        entries.map { "\($0.key)=\(Secrets.masked($0.key, $0.value))" }.joined(separator: "\n")
    }
}

extension KafkaProperties {
    /// The `rd_kafka_conf_t` with these properties, owned by the caller.
    ///
    /// Throws `kafka_property` naming the key, and the nearest known one when the key is unknown.
    package func makeConfiguration() throws(ImpactError) -> OpaquePointer {
        guard let configuration = rd_kafka_conf_new() else {
            throw ImpactError(.failed, code: "kafka_configuration", "librdkafka made no configuration: out of memory")
        }
        for entry in entries {
            if let problem = Self.set(entry, in: configuration) {
                rd_kafka_conf_destroy(configuration)
                throw problem
            }
        }
        return configuration
    }

    /// Checks every key and value without connecting anywhere.
    package func validate() throws(ImpactError) { rd_kafka_conf_destroy(try makeConfiguration()) }

    /// Checks that the properties make a client; it is given no broker to connect to.
    ///
    /// - Throws: `kafka_client`: properties that do not go together, a certificate's file that is not there.
    package func validate(as kind: KafkaHandle.Kind) throws(ImpactError) {
        // Such clients ask for tickets and tokens as soon as they are made.
        let mechanism = (self["sasl.mechanism"] ?? self["sasl.mechanisms"] ?? "").uppercased()
        if mechanism == "GSSAPI" || mechanism == "OAUTHBEARER" { return }
        var own = self
        own["bootstrap.servers"] = nil
        let configuration = try own.makeConfiguration()
        rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
        let client = try KafkaHandle.make(kind, configuration, named: kind == .consumer ? "consumer" : "producer")
        rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    }

    private static func set(_ entry: Entry, in configuration: OpaquePointer) -> ImpactError? {
        var reason = [CChar](repeating: 0, count: 512)
        let result = rd_kafka_conf_set(configuration, entry.key, entry.value, &reason, reason.count)
        if result == RD_KAFKA_CONF_OK { return nil }
        let shown = Secrets.masked(entry.key, entry.value)
        if result == RD_KAFKA_CONF_UNKNOWN {
            let near = nearestKnown(to: entry.key).map { "; did you mean \($0)?" } ?? ""
            return ImpactError(
                .badConfiguration, code: "kafka_property",
                "librdkafka knows no property \(entry.key)\(near)")
        }
        let bytes = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        // librdkafka repeats the value.
        let said = shown == entry.value ? String(decoding: bytes, as: UTF8.self) : "the value is not valid"
        return ImpactError(
            .badConfiguration, code: "kafka_property", "Kafka property \(entry.key)=\(shown): \(said)")
    }

    /// The known property that was probably meant.
    static func nearestKnown(to key: String) -> String? { NearestName.find(key, among: knownKeys) }

    /// The names in the library's own table of properties, which it prints as text: `name | C/P | …`, one a line.
    static var knownKeys: [String] {
        var text: UnsafeMutablePointer<CChar>?
        var count = 0
        guard let stream = open_memstream(&text, &count) else { return [] }
        rd_kafka_conf_properties_show(stream)
        fclose(stream)
        defer { free(text) }
        guard let text else { return [] }
        return String(cString: text).split(separator: "\n").compactMap { line in
            guard let bar = line.firstIndex(of: "|") else { return nil }
            let name = line[..<bar].split(separator: " ")
            return name.count == 1 && name[0].contains(".") ? String(name[0]) : nil
        }
    }
}
