import Base
import Foundation
import Pipeline
import Settings
import Sinks
import Terminal

/// `impactiq log-store`: only the log store's reader.
enum LogStoreCommand: Command {
    static let specification = CommandSpecification(
        "log-store", "Fill the log store from the output topic, until SIGTERM",
        discussion: """
            Reads committed scores and writes rows and its own position in one database transaction, so that there is one \
            row per score after any crash. `run` does the same inside its own process when log.store is set.
            """,
        options: ConfigurationOptions.options + [
            .value("for", "DURATION", "Stop by itself after this time, as 30s or 5m")
        ],
        examples: [
            .init("impactiq log-store --set log.store=sqlite:scores.db", "a file"),
            .init("impactiq log-store --set log.store=postgresql://impactiq@db/scores", "password from PGPASSFILE"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        guard let reader = LogStoreRun.reader(configuration) else {
            throw ImpactError(
                .badConfiguration, code: "no_log_store", "log.store is none: set it to sqlite:PATH or postgresql://…")
        }
        let limit = try command.milliseconds("for")
        let start = ContinuousClock.now
        reader.start()
        while !StopSignal.wait(milliseconds: 200), reader.failure == nil {
            if let limit, ContinuousClock.now - start >= .milliseconds(limit) { break }
        }
        let seconds = Double(configuration.shutdownTimeoutMilliseconds) / 2_000
        reader.stop(within: seconds)
        let isDone = try reader.wait(within: seconds + 1)
        Log.info("log-store", LogStoreRun.counts(reader) + LogStoreRun.rest(reader, isDone: isDone))
        if let trouble = LogStoreRun.unreached(reader, configuration) { throw trouble }
    }
}

/// The log store that a configuration asks for.
enum LogStoreRun {
    /// A reader that is not started yet; nil when `log.store` is none.
    ///
    /// - Parameter counters: of the reader before it, when it is begun again.
    static func reader(
        _ configuration: Configuration, counters: LogStoreCounters = LogStoreCounters()
    ) -> LogStoreReader? {
        guard let address = configuration.logStore else { return nil }
        let storeOptions = LogStoreOptions(userIndex: configuration.indexesUsers)
        var options = LogStoreReaderOptions(topic: configuration.outputTopic)
        options.erasesOnTombstone = configuration.erasesLogStore
        return LogStoreReader(
            properties: configuration.kafkaProperties(client: "consumer"), options: options, counters: counters
        ) { () throws(LogStoreError) -> any LogStore in
            try address.make(storeOptions)
        }
    }

    /// What the reader has left to the next start.
    static func rest(_ reader: LogStoreReader, isDone: Bool) -> String {
        guard isDone, let unread = reader.counters.unread else { return "; the rest is read at the next start" }
        let gone = reader.counters.gone
        return unread == 0
            ? gone > 0
                ? "; what the topic still holds is stored to its end"
                : "; the topic is stored to its end"
            : "; \(unread) records of open transactions are left to the next start"
    }

    /// What is wrong when the log store was never there, though it was waited for.
    static func unreached(_ reader: LogStoreReader, _ configuration: Configuration) -> ImpactError? {
        if !reader.counters.hasHeardBroker, reader.counters.retries > 0, reader.counters.hasOpened {
            return ImpactError(
                .failed, code: "kafka_unreachable",
                "nothing was stored: no broker answered at \(configuration.entry("bootstrap.servers")?.value ?? "")"
                    + (reader.counters.brokerProblem.map { ". The last thing heard: \($0)" } ?? ""))
        }
        guard !reader.counters.hasOpened, reader.counters.retries > 0 else { return nil }
        return ImpactError(
            .failed, code: "log_store_unreached",
            "nothing was stored: the log store \(configuration.logStore.map { "\($0)" } ?? "") was never reached. What it lacks is "
                + "in \(configuration.outputTopic) and is read when it works")
    }

    static func counts(_ reader: LogStoreReader) -> String { "log store: \(reader.counters.table.line)" }
}
