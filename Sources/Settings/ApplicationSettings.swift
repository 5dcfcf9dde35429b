import Foundation

/// What every part of an application shares: the broker, the topics, the model, and what makes an event a score.
package struct ApplicationSettings: SettingGroup {
    package let applicationID = SettingKey.text(
        "application.id", "impactiq", "names the consumer group, the transactions and the changelog")
    package let bootstrapServers = SettingKey.list(
        "bootstrap.servers", "localhost:9092", "Kafka brokers, host:port with commas between")
    package let inputTopics = SettingKey.list(
        "input.topics", "events", "topics of raw events; several must be co-partitioned")
    package let inputMergeWaitMilliseconds = SettingKey.integer(
        "input.merge.wait.ms", 100, 0...60_000,
        "several input topics: how long a record waits for a slower topic to be merged in time order")
    package let acceptsAnyKey = SettingKey.choice(
        "input.key", "required", true: "any", false: "required", "whether the message key must be the user_id")
    package let outputTopic = SettingKey.text("output.topic", "uplift-scores", "topic of the scores")
    package let forwardedHeaders = SettingKey<[String]>(
        "forward.headers", "traceparent,tracestate,baggage,correlation-id,x-correlation-id,x-request-id",
        "record headers that go from an event to its score; none forwards nothing"
    ) { (text) throws(SettingProblem) in
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter {
            !$0.isEmpty && $0 != "none"
        }
    }
    package let deadLetterTopic = SettingKey.text(
        "dead.letter.topic", "events.dead-letter", "topic of the rejected events, byte for byte")
    package let modelPath = SettingKey.text("model.path", "", "the model file (impactiq model import makes one)")
    package let modelPublicKey = SettingKey.text(
        "model.public.key", "",
        "file of an Ed25519 public key (PEM): a model is used only with a signature of it in FILE.sig ('impactiq model sign')"
    )
    package let scoreEvents = SettingKey.list("score.events", "ad_view,click", "event types that trigger a score")
    package let decisionThreshold = SettingKey.number(
        "decision.threshold", "0", -1e9...1e9, "smallest effect worth an ad; decides treat and suppress")
    package let confidenceLevel = SettingKey.number(
        "confidence.level", "0.95", 0.5...0.999999, "level of the interval on each score")
    package let messageMaxBytes = SettingKey.integer(
        "message.max.bytes", 1_048_576, 1_024...64_000_000, "largest event accepted, bytes")
    package let eventTimeMaxAheadMilliseconds = SettingKey.integer(
        "event.time.max.ahead.ms", 3_600_000, 0...Int(Int32.max) * 1_000,
        "how far an event's time may lie after its record's timestamp; further is time_in_future")
    package let eventTimeMaxBehindMilliseconds = SettingKey.integer(
        "event.time.max.behind.ms", 630_720_000_000, 0...7_258_118_400_000,
        "how far it may lie before it: twenty years, which tells a time in seconds; further is time_too_old")
    package let stateTimeToLiveMilliseconds = SettingKey.integer(
        "state.ttl.ms", 0, 0...7_258_118_400_000,
        "a user without an event for so long (event time) is forgotten; 0 is never; choose more than the longest window"
    )
    package let batchMaxEvents = SettingKey.integer(
        "batch.max.events", 1_024, 1...65_536, "most events handled at once when there is lag")
    package let shutdownTimeoutMilliseconds = SettingKey.integer(
        "shutdown.timeout.ms", 10_000, 500...600_000, "deadline for draining and leaving")

    package init() {}

    static let shared = ApplicationSettings()
}

extension Configuration {
    /// The name of the changelog topic.
    package var changelogTopic: String { "\(self.applicationID)-state-changelog" }
}
