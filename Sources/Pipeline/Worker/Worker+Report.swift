import Base
import Consumer
import Features
import Foundation
import Kafka
import Sinks
import StateStore

/// What a worker says of itself once a second: metrics, the live page, the log.
extension Worker {
    func report() {
        tellWait()
        askMarks()
        var late = 0, users = 0, expired = 0
        for shard in keeper.shards {
            // A rollback takes late events back: the difference may be negative for a moment.
            late += Int(shard.state.counters.late) - Int(shard.reportedLate)
            shard.reportedLate = shard.state.counters.late
            users += shard.state.userCount
            expired += Int(shard.state.counters.expired) - Int(shard.reportedExpired)
            shard.reportedExpired = shard.state.counters.expired
        }
        context.metrics.late.add(late)
        context.metrics.expiredUsers.add(expired)
        context.inputWatch.note(component, keeper.shards.map(\.positions))
        context.inputStatistics.note(component, handler.processor, context.metrics)
        report(lags: lags, users: users, isWaiting: wait.isWaiting)
        let restores = restorer.progress
        context.live.report(
            .init(
                shards: keeper.phases, restores: restores, rebalanced: rebalanced,
                isBrokerAway: consumer.handle.isBrokerAway, isWaiting: consumer.assignment.state != .assigned),
            of: number)
        noteSizes(restores)
        guard let merger, merger.lateRecords > reportedOutOfOrder else { return }
        context.metrics.outOfOrder.add(merger.lateRecords - reportedOutOfOrder)
        reportedOutOfOrder = merger.lateRecords
    }

    /// Says when the group takes long to hand out partitions.
    private func tellWait() {
        switch wait.update(isAssigned: consumer.assignment.state == .assigned, now: .now) {
        case .waiting(let time):
            Log.warning(
                component,
                "has waited \(time.components.seconds) s for its group to hand out partitions, and reads nothing meanwhile: a "
                    + "process that went away without leaving keeps its partitions until its session ends "
                    + "(kafka.consumer.session.timeout.ms)")
        case .over(let time):
            Log.info(component, "the group has handed out partitions after \(time.components.seconds) s")
        case nil: break
        }
    }

    /// The ends of partitions that were not read to their end yet: no fetch tells them while their state is being restored,
    /// and afterwards a fetch tells the log's end, which may lie behind an open transaction.
    private func askMarks() {
        guard consumer.assignment.state == .assigned else { return askedMarks.removeAll() }
        let wanted = keeper.withoutEnd.union(
            consumer.assignment.owned.filter { consumer.cachedWatermarks($0) == nil })
        askedMarks = askedMarks.filter { wanted.contains($0.key) }
        let unknown = wanted.intersection(consumer.assignment.owned).sorted()
        if unknown.isEmpty { return }
        let isNew = unknown.contains { askedMarks[$0] == nil } && ContinuousClock.now >= askDue - .seconds(4)
        guard isNew || ContinuousClock.now >= askDue, !consumer.handle.isBrokerAway else { return }
        askDue = .now + .seconds(5)
        askedMarks.merge(consumer.watermarks(unknown, timeoutMilliseconds: 1_000)) { $1 }
    }

    /// Messages that can be read and were not taken yet; nil while it is not known.
    var lag: Int? {
        guard consumer.assignment.state == .assigned else { return nil }
        let withoutEnd = keeper.withoutEnd
        return keeper.lag { readableMarks($0, withoutEnd) }
    }

    /// A partition's offsets, `high` being what can be read as far as it is known; nil while it is not.
    private func readableMarks(_ place: TopicPartition, _ withoutEnd: Set<TopicPartition>) -> Watermarks? {
        if let asked = askedMarks[place] { return asked }
        return withoutEnd.contains(place) ? nil : consumer.cachedWatermarks(place)
    }

    /// The same for each partition; nil without an assignment.
    private var lags: [(labels: [String], value: Double?)]? {
        guard consumer.assignment.state == .assigned else { return nil }
        let withoutEnd = keeper.withoutEnd
        return keeper.lags { readableMarks($0, withoutEnd) }.map { partition, lag in
            (labels: [partition.topic, String(partition.partition)], value: lag.map { Double($0) })
        }
    }

    func report(lags: [(labels: [String], value: Double?)]?, users: Int, isWaiting: Bool) {
        let metrics = context.metrics
        metrics.lag.set(lags, of: component)
        metrics.users.set([(labels: [component], value: Double(users))], of: component)
        metrics.waiting.set([(labels: [component], value: isWaiting ? 1 : 0)], of: component)
    }

    private func noteSizes(_ restores: [Int32: LiveTap.Restore]) {
        let metrics = context.metrics
        let left = restores.values.reduce(0) { $0 + $1.left }
        metrics.restoreLeft.set([(labels: [component], value: Double(left))], of: component)
        metrics.stateBytes.set([(labels: [component], value: Double(keeper.residentBytes))], of: component)
        if number == 0, let store = keeper.localStore {
            metrics.storeFileBytes.set(store.fileBytes)
            metrics.storeMemoryBytes.set(store.memoryBytes)
        }
        let clients = [("consumer", consumer.handle.statistics), ("producer", committer.producer.statistics)]
        metrics.note(clients.compactMap { name, statistics in statistics.map { (name, $0) } }, of: component)
    }

    func noteRebalance(_ event: String) {
        context.metrics.rebalances.add(1, event)
        rebalanced = LocalState.now()
    }
}
