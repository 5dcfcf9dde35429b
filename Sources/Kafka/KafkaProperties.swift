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

    /// Whether a key's value must not be shown: passwords, secrets, private keys, tokens.
    package static func isSecret(_ key: String) -> Bool {
        let key = key.lowercased()
        return ["password", "secret", "key.pem", "sasl.jaas", "token", "oauthbearer.config", "credentials"]
            .contains { key.contains($0) }
    }

    /// `key=value`, one a line, secrets as `****`.
    package var description: String {
        entries.map { "\($0.key)=\(Self.isSecret($0.key) ? "****" : $0.value)" }.joined(separator: "\n")
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

    private static func set(_ entry: Entry, in configuration: OpaquePointer) -> ImpactError? {
        var reason = [CChar](repeating: 0, count: 512)
        let result = rd_kafka_conf_set(configuration, entry.key, entry.value, &reason, reason.count)
        if result == RD_KAFKA_CONF_OK { return nil }
        let shown = isSecret(entry.key) ? "****" : entry.value
        if result == RD_KAFKA_CONF_UNKNOWN {
            let near = nearestKnown(to: entry.key).map { "; did you mean \($0)?" } ?? ""
            return ImpactError(
                .badConfiguration, code: "kafka_property",
                "librdkafka knows no property \(entry.key)\(near)")
        }
        let bytes = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let said = isSecret(entry.key) ? "the value is not valid" : String(decoding: bytes, as: UTF8.self)
        return ImpactError(
            .badConfiguration, code: "kafka_property", "Kafka property \(entry.key)=\(shown): \(said)")
    }

    /// The known property with the least edit distance, when that is at most a third of the key's length.
    static func nearestKnown(to key: String) -> String? {
        let best = knownKeys.map { ($0, editDistance(key, $0)) }.min { $0.1 < $1.1 }
        guard let best, best.1 <= max(2, key.count / 3) else { return nil }
        return best.0
    }

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

    /// Levenshtein distance over UTF-8 bytes.
    static func editDistance(_ a: String, _ b: String) -> Int {
        let b = Array(b.utf8)
        var row = Array(0...b.count)
        for (i, x) in a.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (x == b[j] ? 0 : 1))
                diagonal = above
            }
        }
        return row[b.count]
    }
}
