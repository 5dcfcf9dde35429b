import Base
import Events
import Foundation
import JSON
import Pipeline
import Scoring
import Synchronization

/// What the dashboard shows: looks at the metrics once a second, keeps the last hour, samples scores and people, and
/// tells those who listen. A thread of its own; the pipeline gives it samples and nothing more.
package final class Live: Sendable {
    private struct State {
        var history = LiveHistory()
        var last: (reading: MetricReading, time: ContinuousClock.Instant)?
        /// The newest scores sampled, the oldest first.
        var samples: [SampledScore] = []
        /// Of these, people with their features, each once.
        var people: [SampledScore] = []
    }

    let served: ServedModel
    let source: (any PipelineSource)?
    let scores: ScoreHistory?
    private let stream: EventStream
    private let state = Mutex(State())
    private let isStopping = Atomic<Bool>(false)
    private let table: Mutex<MetricTable?> = Mutex(nil)
    private let gauges = ReadinessGauges()

    private static let mostSamples = 8_000
    private static let mostPeople = 512

    init(served: ServedModel, source: (any PipelineSource)?, scores: ScoreHistory?, stream: EventStream) {
        self.served = served
        self.source = source
        self.scores = scores
        self.stream = stream
    }

    /// Why the process is not at work; nil when it is.
    package var notReady: String? { source?.notReady }

    /// All metrics of the process.
    package var metrics: MetricTable? { table.withLock { $0 } }

    /// Begins to look; the server's own metrics stand beside the pipeline's.
    func start(_ server: HTTPServer) {
        struct Nothing: Sendable {}
        let pipeline: any Sendable = source?.metrics ?? Nothing()
        let logStore: any Sendable = source?.logStoreMetrics ?? Nothing()
        table.withLock { $0 = MetricTable(of: gauges, pipeline, logStore, server.metrics) }
        let thread = Thread { [weak self] in
            let reader = ScoreReader()
            var tick = 0
            while let live = self, !live.isStopping.load(ordering: .relaxed) {
                live.look(reader, isFull: tick % LiveHistory.step == 0)
                tick += 1
                Thread.sleep(forTimeInterval: 1)
            }
        }
        thread.name = "dashboard"
        thread.stackSize = 1 << 20
        thread.start()
    }

    package func stop() { isStopping.store(true, ordering: .relaxed) }

    // MARK: Looking

    private func look(_ reader: ScoreReader, isFull: Bool) {
        guard let table = metrics else { return }
        gauges.look(source)
        let reading = MetricReading(table)
        let (now, time) = (ContinuousClock.now, Int64(Date().timeIntervalSince1970 * 1_000))
        let taken = source?.tap.takeScores()
        let weight = Double(taken?.count ?? 0) / Double(max(1, taken?.scores.count ?? 0))
        var fresh = (taken?.scores ?? []).compactMap { SampledScore(json: $0, weight: weight, reader: reader) }
        meet(&fresh)
        let gone: Set<[UInt8]>? = source.map { $0.tap.takeWithdrawn() } ?? []
        let moment = state.withLock { state -> LiveMoment? in
            state.samples += fresh
            Self.forget(gone, &state)
            if state.samples.count > Self.mostSamples {
                state.samples.removeFirst(state.samples.count - Self.mostSamples)
            }
            for person in fresh where person.features != nil && gone?.contains(person.user) == false {
                state.people.removeAll { $0.user == person.user }
                state.people.append(person)
            }
            if state.people.count > Self.mostPeople { state.people.removeFirst(state.people.count - Self.mostPeople) }
            let last = state.last
            state.last = (reading, now)
            guard let last else { return nil }
            let moment = reading.moment(since: last.reading, seconds: (now - last.time) / .seconds(1), time: time)
            state.history.add(moment)
            return moment
        }
        guard let moment, stream.count > 0 else { return }
        let out = ByteBuffer(capacity: 1 << 14)
        out.append("event: tick\ndata: ")
        moment.write(to: out)
        out.append("\n\n")
        if isFull {
            out.append("event: detail\ndata: ")
            writeDetail(to: out)
            out.append("\n\n")
        }
        stream.send(Array(out.bytes))
    }

    /// Asks the workers for the features of those whose scores were sampled.
    private func meet(_ fresh: inout [SampledScore]) {
        guard let source, !fresh.isEmpty else { return }
        let users = Array(Set(fresh.map(\.user)).shuffled().prefix(64))
        guard let found = source.tap.find(users, within: 0.5) else { return }
        for index in fresh.indices {
            guard let person = found[fresh[index].user], person.isScored else { continue }
            fresh[index].features = person.features
        }
    }

    /// Takes out who was erased, or refuses something; everybody when too many were.
    private func forgetWithdrawn() {
        guard let tap = source?.tap else { return }
        let gone = tap.takeWithdrawn()
        if gone?.isEmpty ?? false { return }
        state.withLock { Self.forget(gone, &$0) }
    }

    private static func forget(_ gone: Set<[UInt8]>?, _ state: inout State) {
        guard let gone else { return state = State(history: state.history, last: state.last) }
        if gone.isEmpty { return }
        state.samples.removeAll { gone.contains($0.user) }
        state.people.removeAll { gone.contains($0.user) }
    }

    // MARK: Telling

    /// Opens a stream that begins with where things stand.
    func open(_ exchange: Exchange) throws(Problem) {
        exchange.type = .eventStream
        if exchange.isHead { return }
        let out = ByteBuffer(capacity: 1 << 14)
        out.append("retry: 2000\nevent: detail\ndata: ")
        writeDetail(to: out)
        out.append("\n\n")
        guard let client = stream.open(first: Array(out.bytes)) else {
            throw Problem(429, "too_many_streams", "\(EventStream.maxClients) clients listen already")
        }
        exchange.stream = client
    }

    /// The last hour and where things stand, as `GET /v1/live` answers.
    func writeHistory(to out: ByteBuffer) {
        let history = state.withLock { $0.history.moments }
        out.object {
            out.member("step_seconds", LiveHistory.step)
            out.member("fields", texts: LiveMoment.fields)
            out.member("history")
            out.list(history) { $0.write(to: out) }
            out.member("detail")
            writeDetail(to: out)
        }
    }

    private func writeDetail(to out: ByteBuffer) {
        forgetWithdrawn()
        let (samples, people, reading) = state.withLock { ($0.samples, $0.people, $0.last?.reading) }
        out.object {
            out.member("has_pipeline", source != nil)
            out.member("ready", notReady == nil)
            out.member("not_ready", notReady)
            out.member("has_log_store", scores != nil)
            out.member("totals")
            out.object {
                out.member("messages", reading?.messages ?? 0)
                for decision in ["treat", "suppress", "uncertain"] {
                    out.member(decision, reading?.scores[decision] ?? 0)
                }
            }
            if let source { PartitionsDetail(source.tap, of: source.partitions, reading).write(to: out) }
            out.member("dead_letters")
            writeLetters(reading, to: out)
            LiveDetail(served: served, samples: samples, people: people).write(to: out)
        }
    }

    private func writeLetters(_ reading: MetricReading?, to out: ByteBuffer) {
        out.object {
            out.member("by_code")
            out.object {
                let codes = (reading?.deadLetters ?? [:]).sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                for (code, count) in codes where count > 0 { out.member(code, count) }
            }
            out.member("last")
            out.list((source?.tap.rejections ?? []).reversed()) { letter in
                out.object {
                    out.member("code", letter.code)
                    out.member("reason", letter.reason)
                    out.member("topic", letter.topic)
                    out.member("partition", letter.partition)
                    out.member("offset", letter.offset)
                    out.member("time", letter.time)
                    out.member("value", utf8: letter.value)
                }
            }
        }
    }

    /// The features of people seen of late, row-major.
    func rowsOfPeople(stride: Int) -> [Float] {
        let people = state.withLock { $0.people.compactMap(\.features) }
        return people.flatMap { row in row + [Float](repeating: 0, count: max(0, stride - row.count)) }
    }

    /// People seen of late with their features, as `GET /v1/people` answers: presets of the simulator.
    func writePeople(to out: ByteBuffer) {
        forgetWithdrawn()
        let people = state.withLock { $0.people.suffix(64) }
        out.object {
            out.member("people")
            out.list(people.reversed()) { person in
                out.object {
                    out.member("user_id", utf8: person.user)
                    out.member("uplift", person.uplift)
                    out.member("decision", person.decision)
                    out.member("features")
                    FeatureObject.write(person.features ?? [], names: served.model.featureNames, to: out)
                }
            }
        }
    }
}
