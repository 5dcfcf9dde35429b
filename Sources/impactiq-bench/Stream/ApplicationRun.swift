import Base
import Foundation
import Kafka
import Pipeline
import Settings
import Synchronization

/// The product's own path (`Application`) over a whole topic.
struct ApplicationRun {
    let topic: StreamTopic
    let modelPath: String
    /// Longest time of one measurement, seconds.
    let limit: Double
    /// More configuration, `key=value`.
    var settings: [String] = []
    var writesChangelog = true
    /// Told the count of messages so far, every half millisecond.
    var onProgress: (Int) -> Void = { _ in }

    struct Result {
        var eventsPerSecond: Double
        var scores: Int
        var changelogRecords: Int
        var commits: Int
        var aborts: Int
    }

    /// From the first message to the last commit that the worker did not have to wait for.
    func measure() throws -> Result {
        let name = "bench-app-\(UInt32.random(in: 0 ... .max))"
        let folder = FileManager.default.temporaryDirectory.appending(path: name).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let admin = try Admin(properties: topic.properties)
        defer { admin.close() }
        let topics: [TopicPlan] = [
            .scores("\(name)-scores", partitions: topic.partitions),
            .deadLetter("\(name)-dead", partitions: topic.partitions),
            .changelog("\(name)-state-changelog", partitions: topic.partitions),
        ]
        try admin.create(topics)
        defer { try? admin.delete(topics: topics.map(\.name)) }
        let application = try Application(
            configuration: try configuration(name, folder), writesChangelog: writesChangelog, isStopped: { false })
        application.start()
        let rate = committedRate(application)
        let metrics = application.context.metrics
        application.stop()
        try application.wait()
        return Result(
            eventsPerSecond: rate, scores: metrics.scores.value,
            changelogRecords: metrics.changelogRecords.value,
            commits: metrics.commits.value, aborts: metrics.aborts.value)
    }

    private func configuration(_ name: String, _ folder: String) throws -> Configuration {
        try Configuration(
            file: nil, environment: [:],
            overrides: [
                "bootstrap.servers=\(topic.properties["bootstrap.servers"] ?? "")", "application.id=\(name)",
                "input.topics=\(topic.name)", "output.topic=\(name)-scores", "dead.letter.topic=\(name)-dead",
                "model.path=\(modelPath)", "state.dir=\(folder)",
            ] + settings)
    }

    /// Committed events per second, up to the last commit before the topic's end: after the last message a worker idles
    /// until its commit is due, which is not part of the work. A topic of one transaction is measured to its commit.
    private func committedRate(_ application: Application) -> Double {
        let metrics = application.context.metrics
        var first: ContinuousClock.Instant?
        var commits = 0
        var rate = Double.nan
        while !application.isStopping {
            usleep(500)
            let now = ContinuousClock.now
            let messages = metrics.messages.value
            onProgress(messages)
            if first == nil, messages > 0 { first = now }
            guard let first else { continue }
            let count = metrics.commits.value
            let isDone = messages >= topic.events
            if count > commits {
                commits = count
                if !isDone || rate.isNaN { rate = Double(messages) / ((now - first) / .seconds(1)) }
                if isDone { break }
            } else if isDone, !rate.isNaN {
                break
            }
            if now - first > .seconds(limit), !rate.isNaN { break }
        }
        return rate
    }
}
