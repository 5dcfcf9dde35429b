import Base
import Settings

/// Which topic is used for what: one topic must not have two roles, whatever the broker would allow.
package enum TopicRoles {
    /// The topics of a configuration, each with its role in words.
    package static func all(_ configuration: Configuration) -> [(role: String, topic: String)] {
        configuration.inputTopics.map { ("input.topics", $0) } + [
            ("output.topic", configuration.outputTopic),
            ("dead.letter.topic", configuration.deadLetterTopic),
            ("the state's changelog (application.id)", configuration.changelogTopic),
        ]
    }

    /// - Throws: `topic_collision` that names every topic with two roles; `missing_input` and `bad_topic_name`.
    package static func check(_ configuration: Configuration) throws(ImpactError) {
        guard !configuration.inputTopics.isEmpty else {
            throw ImpactError(.badConfiguration, code: "missing_input", "input.topics names no topic")
        }
        var roles: [String: [String]] = [:]
        var order: [String] = []
        for (role, topic) in all(configuration) {
            if roles[topic] == nil { order.append(topic) }
            roles[topic, default: []].append(role)
        }
        let problems = order.compactMap { topic -> String? in
            guard let used = roles[topic], used.count > 1 else { return nil }
            return "\(topic) is named by \(used.joined(separator: " and by "))"
        }
        if configuration.inputTopics.count > Set(configuration.inputTopics).count {
            let twice = Set(
                configuration.inputTopics.filter { topic in
                    configuration.inputTopics.count { $0 == topic } > 1
                }
            ).sorted()
            throw ImpactError(
                .badConfiguration, code: "topic_collision",
                "input.topics names \(twice.joined(separator: ", ")) more than once: name each topic once")
        }
        if !problems.isEmpty {
            throw ImpactError(
                .badConfiguration, code: "topic_collision",
                problems.joined(separator: "; ")
                    + ": what the application writes would come back as its input, or two kinds of records would mix. "
                    + "Give each role a topic of its own")
        }
        for (role, topic) in all(configuration) {
            if let problem = problem(withName: topic) {
                throw ImpactError(.badConfiguration, code: "bad_topic_name", "\(role)=\(topic): \(problem)")
            }
        }
        // Kafka's metrics take a dot and an underscore for one character, and so do its own checks of new topics.
        var folded: [String: String] = [:]
        for (_, topic) in all(configuration) {
            let name = topic.replacing(".", with: "_")
            if let other = folded.updateValue(topic, forKey: name), other != topic {
                throw ImpactError(
                    .badConfiguration, code: "topic_collision",
                    "\(other) and \(topic) differ only in '.' and '_', which the broker refuses in two topics")
            }
        }
    }

    /// What Kafka would not take as a topic's name, in words.
    static func problem(withName name: String) -> String? {
        if name.isEmpty { return "a topic needs a name" }
        if name.utf8.count > 249 { return "a topic's name has 249 characters at most" }
        if name == "." || name == ".." { return "a topic cannot have that name" }
        let isPlain = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2E || byte == 0x5F || byte == 0x2D
        }
        return isPlain ? nil : "a topic's name has letters, digits, '.', '_' and '-' only"
    }
}
