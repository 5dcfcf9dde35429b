import Base
import Kafka
import Terminal

/// The topic that a benchmark reads, filled with the simulated trial.
final class StreamTopic {
    let name: String
    let properties: KafkaProperties
    let partitions: Int
    let events: Int
    let users: Int
    let bytes: Int

    init(properties: KafkaProperties, partitions: Int, events: Int, users: Int, padding: Int = 0) throws {
        name = "bench-\(UInt32.random(in: 0 ... .max))"
        self.properties = properties
        self.partitions = partitions
        self.events = events
        self.users = users
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        try admin.create([.events(name, partitions: partitions)])
        bytes = try BenchmarkTopic.fill(name, properties: properties, events: events, users: users, padding: padding)
    }

    /// Takes the topic away.
    func remove() {
        guard let admin = try? Admin(properties: properties) else { return }
        try? admin.delete(topics: [name])
        admin.close()
    }

    var text: String {
        "\(HumanNumber.short(Double(events))) events of \(bytes / max(1, events)) bytes, "
            + "\(HumanNumber.short(Double(users))) users, \(partitions) partitions"
    }
}
