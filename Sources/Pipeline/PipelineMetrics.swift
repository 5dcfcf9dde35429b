import Base
import JSON
import Kafka
import Scoring

/// What the pipeline has done so far: written by the workers a batch at a time, read by anyone.
///
/// Relaxed atomics: the numbers of one reading may be a batch apart, none is ever lost. Each metric is one property; its
/// place here is its place in the log line and on `/metrics`.
package final class PipelineMetrics: Sendable {
    /// Parts of the work on a batch, and the commit.
    package enum Stage: String, CaseIterable, Sendable { case parse, score, emit, commit }

    package let messages = Counter(
        "impactiq_messages_total", .count("messages"), help: "Messages consumed, valid or not")
    package let events = Counter("impactiq_events_total", help: "Valid events applied to state")
    package let scores = LabeledCounter(
        "impactiq_scores_total", label: "decision", values: Decision.allCases.map(\.name), .count("scores"),
        help: "Scores published, by decision")
    package let deadLetters = LabeledCounter(
        "impactiq_dead_letters_total", label: "code", values: InputErrorCode.allCases.map(\.name),
        .count("dead letters"),
        help: "Messages rejected, by error code")
    package let duplicates = Counter(
        "impactiq_duplicates_total", .count("duplicates"), help: "Events whose id was there already")
    package let late = Counter(
        "impactiq_late_events_total", .count("late"), help: "Events older than the longest window")
    package let unusable = LabeledCounter(
        "impactiq_unusable_values_total", label: "field", .countIfAny("unusable values"),
        help: "Values that no feature can use, such as a text where a number is wanted: they count as missing")
    package let users = LabeledGauge(
        "impactiq_state_users", labels: ["worker"], .count("users"), help: "Users whose state is in memory")
    package let lag = LabeledGauge(
        "impactiq_consumer_lag_records", labels: ["topic", "partition"], .named("lag"),
        help: "Records of the input that can be read and were not taken yet")
    package let waiting = LabeledGauge(
        "impactiq_worker_waiting", labels: ["worker"], .countIfAny("waiting for the group"),
        help: "1 while a worker waits for its group to hand out partitions")
    package let commits = Counter("impactiq_commits_total", .count("commits"), help: "Transactions committed")
    package let aborts = Counter("impactiq_aborts_total", .count("aborts"), help: "Transactions aborted and repeated")
    package let latency = Histogram(
        "impactiq_score_latency_seconds", unit: .seconds, smallest: 1.0 / 16_000, .p99("latency p99 ≤"),
        help: "From a record's timestamp to its score's hand-over to the producer")
    package let rebalances = LabeledCounter(
        "impactiq_rebalances_total", label: "event", values: ["assigned", "revoked", "lost"],
        help: "Times that the group handed out partitions, took them back, or lost sight of this member")
    package let restoreLeft = LabeledGauge(
        "impactiq_restore_remaining_records", labels: ["worker"],
        help: "Changelog records that a restore has still to read")
    package let stateBytes = LabeledGauge(
        "impactiq_state_bytes", labels: ["worker"], unit: .bytes,
        help: "Memory that users' state takes; beyond state.memory.bytes it is spilled to the local copy")
    package let storeFileBytes = Gauge(
        "impactiq_state_store_file_bytes", unit: .bytes, help: "Files of the local copy of the state")
    package let storeMemoryBytes = Gauge(
        "impactiq_state_store_memory_bytes", unit: .bytes, help: "Cache and write buffers of the local copy")
    package let outOfOrder = Counter(
        "impactiq_merged_late_total", .countIfAny("merged late"),
        help: "Records of several input topics that came after the merge's wait: a replay may order them differently")
    package let evictedUsers = Counter(
        "impactiq_users_spilled_total", .countIfAny("users spilled"),
        help: "Users dropped from memory, which the local copy has")
    package let reloadedUsers = Counter(
        "impactiq_users_brought_back_total", .countIfAny("users brought back"),
        help: "Spilled users read into memory again")
    package let expiredUsers = Counter(
        "impactiq_users_expired_total", .countIfAny("users forgotten"),
        help: "Users forgotten after state.ttl.ms without an event")
    package let unreadable = Counter(
        "impactiq_unreadable_state_records_total", .countIfAny("unreadable state records"),
        help: "Records of the changelog that nobody could read: dead-lettered, their users began anew")
    package let erasures = Counter(
        "impactiq_users_erased_total", help: "Users erased, by user.delete or by refusing that anything is stored")
    package let refused = LabeledCounter(
        "impactiq_refused_events_total", label: "purpose", values: ["storing", "scoring"], .countIfAny("refused"),
        help: "Events not stored, or not scored, since their users refuse it (user.consent)")
    package let changelogRecords = Counter(
        "impactiq_changelog_records_total", help: "Users' records written to the changelog")
    package let restoredUsers = Counter(
        "impactiq_restored_users_total", help: "Users restored from the local copy at a start")
    package let replayedRecords = Counter(
        "impactiq_replayed_records_total", help: "Changelog records replayed at a start")
    package let batchSize = Histogram(
        "impactiq_batch_messages", smallest: 1, help: "Messages handled at once")
    package let stages = LabeledHistogram(
        "impactiq_stage_seconds", label: "stage", Stage.self, unit: .seconds, smallest: 1.0 / 1_000_000,
        help: "Time of a batch in each stage, and of each commit")

    package let kafkaSentBytes = LabeledGauge(
        "impactiq_kafka_sent_bytes_total", kind: .counter, labels: ["worker", "client"], unit: .bytes,
        help: "Bytes sent to brokers, by librdkafka's statistics as all of this name")
    package let kafkaReceivedBytes = LabeledGauge(
        "impactiq_kafka_received_bytes_total", kind: .counter, labels: ["worker", "client"], unit: .bytes,
        help: "Bytes received from brokers")
    package let kafkaQueued = LabeledGauge(
        "impactiq_kafka_queued_messages", labels: ["worker", "client"],
        help: "Messages produced that no broker has acknowledged yet")
    package let kafkaRoundTrip = LabeledGauge(
        "impactiq_kafka_round_trip_seconds", labels: ["worker", "client"], unit: .seconds,
        help: "99th percentile of a request's way to the slowest broker and back, over the last seconds")
    package let kafkaThrottle = LabeledGauge(
        "impactiq_kafka_throttle_seconds", labels: ["worker", "client"], unit: .seconds,
        help: "How long the brokers make this client wait for a quota, on average over the last seconds")
    package let kafkaErrors = LabeledGauge(
        "impactiq_kafka_request_errors_total", kind: .counter, labels: ["worker", "client"],
        help: "Requests that failed, timed out or were answered with garbage")
    package let kafkaDisconnects = LabeledGauge(
        "impactiq_kafka_disconnects_total", kind: .counter, labels: ["worker", "client"],
        help: "Connections to brokers that ended")

    package init() {}

    /// What librdkafka says of a worker's clients.
    func note(_ clients: [(name: String, statistics: ClientStatistics)], of worker: String) {
        func set(_ gauge: LabeledGauge, _ value: (ClientStatistics) -> Double) {
            gauge.set(clients.map { (labels: [worker, $0.name], value: value($0.statistics)) }, of: worker)
        }
        set(kafkaSentBytes, \.sentBytes)
        set(kafkaReceivedBytes, \.receivedBytes)
        set(kafkaQueued, \.queuedMessages)
        set(kafkaRoundTrip, \.roundTripSeconds)
        set(kafkaThrottle, \.throttleSeconds)
        set(kafkaErrors, \.errors)
        set(kafkaDisconnects, \.disconnects)
    }

    package var table: MetricTable { MetricTable(of: self) }
}
