import Base
import Settings
import Sinks

/// How the live pipeline works: threads, local state, commits, membership in the group.
package struct PipelineSettings: SettingGroup {
    /// Of `state.memory.bytes`.
    package enum MemoryBound: Sendable, Equatable {
        /// Half of the memory that the process may take; none without the local copy, where nobody can spill.
        case auto
        case bytes(Int)
        case none

        init(_ text: String) throws(SettingProblem) {
            if text == "auto" {
                self = .auto
                return
            }
            guard let bytes = Int(text) else { throw SettingProblem("neither a whole number nor auto") }
            guard (0...1 << 44).contains(bytes) else { throw SettingProblem("must be 0 to \(1 << 44), or auto") }
            self = bytes == 0 ? .none : .bytes(bytes)
        }
    }

    /// How far the product's promise goes.
    package enum Guarantee: String, Sendable, CaseIterable {
        case exactlyOnce = "exactly_once"
        case atLeastOnce = "at_least_once"
    }

    package let workers = SettingKey.integer(
        "workers", 1, 1...256, "threads; each owns one consumer, one producer and its partitions' state")
    package let stateDirectory = SettingKey.text("state.dir", "state", "folder of local state")
    package let usesLocalStore = SettingKey.choice(
        "state.store", "rocksdb", true: "rocksdb", false: "none",
        "a copy of the state in state.dir, so that a start replays only the changelog's tail; or none")
    package let checkpointIntervalMilliseconds = SettingKey.integer(
        "state.checkpoint.interval.ms", 15_000, 100...86_400_000,
        "how often the local copy of a partition is brought up to date, milliseconds")
    package let stateCacheBytes = SettingKey.integer(
        "state.cache.bytes", 64 << 20, 1 << 20...1 << 40,
        "bound of the local copy's own memory in this process: cache, filters, and half as much for writes")
    package let stateMemory = SettingKey<MemoryBound>(
        "state.memory.bytes", "auto",
        "bound of this process's state in memory, state.cache.bytes included: cold users spill to disk; auto is half of what "
            + "the machine or the container has, 0 is none"
    ) { (text) throws(SettingProblem) in try MemoryBound(text) }
    package let mostUnreadableRecords = SettingKey.integer(
        "state.changelog.max.unreadable", 1_000, 0...1_000_000,
        "users of a changelog partition whose record may be unreadable at a start: they begin anew, and the records go to the "
            + "dead letter, code unreadable_state; more, or any with 0, end the start")
    package let standbyReplicas = SettingKey.integer(
        "num.standby.replicas", 0, 0...16,
        "processes beside the owner that keep a warm local copy of each partition")
    package let commitIntervalMilliseconds = SettingKey.integer(
        "commit.interval.ms", 100, 0...60_000,
        "time between two commits without lag, milliseconds; 0 commits after every batch")
    package let commitIntervalMaxMilliseconds = SettingKey.integer(
        "commit.interval.max.ms", 1_000, 0...60_000,
        "longest time between two commits under lag, milliseconds; at most commit.interval.ms keeps that always")
    package let guarantee = SettingKey.oneOf(
        "processing.guarantee", Guarantee.exactlyOnce,
        "transactions, or an idempotent producer for the lowest latency")
    package let groupInstanceID = SettingKey.text(
        "group.instance.id", "auto",
        "static membership: this process's name in the group; auto keeps one in state.dir, none joins anew each time")
    package let leavesGroupOnStop = SettingKey.boolean(
        "group.leave.on.stop", true,
        "a clean stop gives its partitions up at once; false keeps them until kafka.consumer.session.timeout.ms "
            + "ends, for a restart that comes before (rolling restarts)")
    package let protectsFromPoison = SettingKey.boolean(
        "poison.protection", true,
        "quarantine a message at which the process died twice in the dead letter, code poison")

    package init() {}

    static let shared = PipelineSettings()
}

extension Configuration {
    package subscript<Value>(dynamicMember path: KeyPath<PipelineSettings, SettingKey<Value>>) -> Value {
        self[PipelineSettings.shared[keyPath: path]]
    }

    /// The keys of a pipeline with its log store.
    package static let pipelineGroups: [any SettingGroup] = [PipelineSettings(), LogStoreSettings()]

    /// The configuration of a pipeline, for whoever needs no other keys: tests and benchmarks.
    package init(file: String?, environment: [String: String], overrides: [String]) throws(ImpactError) {
        try self.init(groups: Self.pipelineGroups, file: file, environment: environment, overrides: overrides)
    }
}
