/// A configuration key: its name, default, what it means, and which values it takes.
package struct ConfigurationKey: Sendable {
    /// Which values a key takes; checked when the configuration is loaded, not when the value is first used.
    package enum Values: Sendable {
        case text
        case list
        case path
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case boolean
        case oneOf([String])
        case logStore
        case address
    }

    package let name: String
    /// Empty when the key has no default.
    package let defaultValue: String
    package let values: Values
    /// One line for `impactiq config` and the documentation.
    package let summary: String

    package init(_ name: String, _ defaultValue: String, _ values: Values, _ summary: String) {
        self.name = name
        self.defaultValue = defaultValue
        self.values = values
        self.summary = summary
    }

    /// The environment variable that sets the key: `IMPACTIQ_` and the name in upper case, dots as underscores.
    package var environmentVariable: String { Self.environmentVariable(for: name) }

    package static func environmentVariable(for name: String) -> String {
        "IMPACTIQ_" + name.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }

    /// Every key's name by the environment variable that sets it.
    package static let namesByVariable = Dictionary(uniqueKeysWithValues: all.map { ($0.environmentVariable, $0.name) })

    /// Prefixes whose keys go to librdkafka as they are, the prefix removed.
    package static let passThroughPrefixes = ["kafka.consumer.", "kafka.producer.", "kafka."]

    /// Every key of the product, in the order in which `impactiq config` prints them.
    package static let all: [ConfigurationKey] = [
        .init("application.id", "impactiq", .text, "names the consumer group, the transactions and the changelog"),
        .init("bootstrap.servers", "localhost:9092", .list, "Kafka brokers, host:port with commas between"),
        .init("input.topics", "events", .list, "topics of raw events; several must be co-partitioned"),
        .init(
            "input.merge.wait.ms", "100", .integer(0...60_000),
            "several input topics: how long a record waits for a slower topic to be merged in time order"),
        .init("input.key", "required", .oneOf(["required", "any"]), "whether the message key must be the user_id"),
        .init("output.topic", "uplift-scores", .text, "topic of the scores"),
        .init(
            "forward.headers", "traceparent,tracestate,baggage,correlation-id,x-correlation-id,x-request-id", .text,
            "record headers that go from an event to its score; none forwards nothing"),
        .init("dead.letter.topic", "events.dead-letter", .text, "topic of the rejected events, byte for byte"),
        .init("model.path", "", .path, "the model file (impactiq model import makes one)"),
        .init(
            "workers", "1", .integer(1...256), "threads; each owns one consumer, one producer and its partitions' state"
        ),
        .init("state.dir", "state", .path, "folder of local state"),
        .init(
            "state.store", "rocksdb", .oneOf(["rocksdb", "none"]),
            "a copy of the state in state.dir, so that a start replays only the changelog's tail; or none"),
        .init(
            "state.checkpoint.interval.ms", "15000", .integer(100...86_400_000),
            "how often the local copy of a partition is brought up to date, milliseconds"),
        .init(
            "state.cache.bytes", "67108864", .integer(1 << 20...1 << 40),
            "bound of the local copy's own memory in this process: cache, filters, and half as much for writes"),
        .init(
            "state.memory.bytes", "0", .integer(0...1 << 44),
            "bound of this process's state in memory, state.cache.bytes included: cold users spill to disk; 0 is none"),
        .init(
            "num.standby.replicas", "0", .integer(0...16),
            "processes beside the owner that keep a warm local copy of each partition"),
        .init(
            "commit.interval.ms", "100", .integer(0...60_000),
            "longest time between two commits, milliseconds; 0 commits after every batch"),
        .init(
            "processing.guarantee", "exactly_once", .oneOf(["exactly_once", "at_least_once"]),
            "transactions, or an idempotent producer for the lowest latency"),
        .init("score.events", "ad_view,click", .list, "event types that trigger a score"),
        .init(
            "decision.threshold", "0", .number(-1e9...1e9), "smallest effect worth an ad; decides treat and suppress"),
        .init("confidence.level", "0.95", .number(0.5...0.999999), "level of the interval on each score"),
        .init("log.store", "none", .logStore, "sqlite:PATH, postgresql://…, or none"),
        .init("log.store.index.users", "false", .boolean, "index the log store by user_id; slower to write"),
        .init(
            "log.store.erase", "false", .boolean,
            "a user.delete event also deletes the user's rows in the log store (by a tombstone in the output topic)"),
        .init(
            "log.store.required", "false", .boolean,
            "a log store that fails stops the pipeline; else scoring goes on and the store is tried again"),
        .init("http.listen", "127.0.0.1:8080", .address, "address of the HTTP API; loopback unless told otherwise"),
        .init("message.max.bytes", "1048576", .integer(1_024...64_000_000), "largest event accepted, bytes"),
        .init(
            "event.time.max.ahead.ms", "3600000", .integer(0...Int(Int32.max) * 1_000),
            "how far an event's time may lie after its record's timestamp; further is time_in_future"),
        .init(
            "event.time.max.behind.ms", "630720000000", .integer(0...7_258_118_400_000),
            "how far it may lie before it: twenty years, which tells a time in seconds; further is time_too_old"),
        .init("batch.max.events", "1024", .integer(1...65_536), "most events handled at once when there is lag"),
        .init(
            "group.instance.id", "auto", .text,
            "static membership: this process's name in the group; auto keeps one in state.dir, none joins anew each time"
        ),
        .init(
            "poison.protection", "true", .boolean,
            "quarantine a message at which the process died twice in the dead letter, code poison"),
        .init("shutdown.timeout.ms", "10000", .integer(500...600_000), "deadline for draining and leaving"),
    ]
}
