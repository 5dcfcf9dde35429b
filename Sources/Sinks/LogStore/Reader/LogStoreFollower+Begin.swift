import Base
import Consumer
import Kafka

/// Where to begin: waits for the topic, compares the stored positions with what the broker holds.
extension LogStoreFollower {
    /// Waits for broker and topic: also when asked to stop meanwhile, since the topic may hold what has just been
    /// committed. Nil when there is no topic by then, so that nothing is left to read.
    func findTopic() throws(ReaderInterruption) -> FollowedTopic? {
        var backoff = Backoff(options.retrySeconds, stop: stop, counters: counters)
        while !stop.isPastDeadline {
            do throws(KafkaError) {
                let count = try probe.partitionCount()
                counters.countBroker()
                if let count {
                    let cluster = try probe.clusterID()
                    backoff.succeeded("topic \(options.topic) is there")
                    partitionCount = count
                    return FollowedTopic(cluster: cluster, topic: options.topic)
                }
                if stop.isStopping { return nil }
                counters.enter(.waitingForTopic)
                backoff.wait("topic \(options.topic) does not exist yet: `impactiq topics create` makes it")
            } catch {
                try giveUp(on: error)
                counters.enter(.waitingForBroker)
                let heard = consumer.handle.connectionProblem
                counters.noteBroker(heard)
                // Nobody has written what would be lost, as far as is known: the stop need not wait.
                if stop.isStopping, !counters.hasHeardBroker { throw .stopped }
                backoff.wait("\(error)\(heard.map { ". The last thing heard: \($0)" } ?? "")")
            }
        }
        throw .stopped
    }

    func refuseOtherCluster(_ source: FollowedTopic) throws(ReaderInterruption) {
        let known = try writer.persist { store throws(LogStoreError) in try store.sources() }
        if known.contains(source) || known.isEmpty { return }
        if let other = known.first(where: { $0.cluster != source.cluster }) {
            throw .failed(
                ImpactError(
                    .badConfiguration, code: "log_store_other_cluster",
                    """
                    \(writer.store.place) was filled from topic \(other.topic) of Kafka cluster \(other.cluster); this \
                    is cluster \(source.cluster), where the same offsets mean other events. Give log.store another \
                    database; or, if it is the same cluster under a new id, run in the database: UPDATE \
                    impactiq_positions SET cluster = '\(source.cluster)' WHERE cluster = '\(other.cluster)'
                    """))
        }
        if !saidOtherTopics {
            saidOtherTopics = true
            Log.warning(
                "log-store",
                """
                \(writer.store.place) also holds scores of \(known.map(\.topic).joined(separator: ", ")); an event \
                scored in both topics keeps the row that came first
                """)
        }
    }

    /// Takes all partitions, each where the database says.
    func begin(_ builder: ScoreBatchBuilder, _ source: FollowedTopic) throws(ReaderInterruption) {
        let stored = try writer.persist { store throws(LogStoreError) in try store.positions(of: source) }
        if let last = stored.keys.max(), last >= partitionCount {
            throw .failed(recreated(source, "has \(partitionCount) partitions; the store has read partition \(last)"))
        }
        var next: [Int32: Int64] = [:]
        for partition in 0..<partitionCount {
            next[partition] = try place(partition, stored: stored[partition], source)
        }
        builder.begin(stored: stored, next: next)
        try assign(next)
        let rows = next.values.reduce(0, +)
        Log.info("log-store", "reading \(source.topic), \(partitionCount) partitions, from offsets that sum to \(rows)")
        counters.enter(.reading)
    }

    private func place(_ partition: Int32, stored: Int64?, _ source: FollowedTopic) throws(ReaderInterruption) -> Int64
    {
        var backoff = Backoff(options.retrySeconds, stop: stop, counters: counters)
        var suspicions = 0
        while true {
            let marks: Watermarks?
            do throws(KafkaError) {
                marks = try probe.watermarks(partition)
            } catch {
                marks = nil
                try giveUp(on: error)
                backoff.wait("\(error)")
            }
            switch marks.map({ StartPlan(stored: stored, low: $0.low, high: $0.high) }) {
            case nil:
                break
            case .read(let offset):
                if stored == nil, offset > 0 {
                    counters.countGone(offset)
                    Log.error(
                        "log-store",
                        """
                        \(source.topic) [\(partition)] begins at offset \(offset): the broker deleted what was before \
                        (retention), and the log store never had it. Set retention.ms=-1 for the topic, or one above the \
                        age of the oldest events: scores bear the time of their events.
                        """)
                }
                return offset
            case .skip(let from, let to):
                counters.countGone(to - from)
                Log.error(
                    "log-store",
                    """
                    \(source.topic) [\(partition)]: the broker deleted offsets \(from) to \(to - 1) (retention) before \
                    they were stored; going on at \(to). Raise retention.ms of the topic above the longest pause.
                    """)
                return to
            case .recreated(let position, let end):
                // A leader that has just taken over may not know its end for a moment.
                suspicions += 1
                if suspicions >= 3 {
                    throw .failed(
                        recreated(source, "[\(partition)] ends at \(end), the store has read up to \(position)"))
                }
                backoff.wait("\(source.topic) [\(partition)] ends at \(end), before the stored position \(position)")
            }
            if stop.isPastDeadline { throw .stopped }
        }
    }

    private func recreated(_ source: FollowedTopic, _ finding: String) -> ImpactError {
        ImpactError(
            .failed, code: "log_store_topic_recreated",
            """
            topic \(source.topic) \(finding): it was deleted and made anew, or lost records. To read the new topic from \
            its start into the same table, run in \(writer.store.place): DELETE FROM impactiq_positions WHERE topic = \
            '\(source.topic)'. Rows of events that the table holds already stay as they are; give log.store another \
            database if the input topics were made anew too.
            """)
    }

    private func assign(_ next: [Int32: Int64]) throws(ReaderInterruption) {
        ends = [:]
        atEnd = []
        var places: [TopicPartition: StartOffset] = [:]
        for (partition, offset) in next { places[TopicPartition(options.topic, partition)] = .offset(offset) }
        do throws(KafkaError) {
            try consumer.assign(places)
        } catch {
            throw .failed(error.impactError(doing: "reading \(options.topic)"))
        }
    }

    /// Throws when no try will help.
    func giveUp(on error: KafkaError) throws(ReaderInterruption) {
        if error.isAuthorization || error.isFatal {
            throw .failed(
                error.impactError(
                    doing: "the log store reading \(options.topic)", advice: "Check the credentials under kafka.*"))
        }
    }
}
