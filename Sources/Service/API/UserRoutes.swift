import Base
import Events
import Foundation
import JSON
import Kafka
import Pipeline
import Scoring
import Sinks
import Synchronization

/// `GET /v1/users/{id}`, `GET /v1/users/{id}/scores`: what is known of a person.
struct UserRoutes: Sendable {
    let service: Service
    /// Questions that wait for a worker hold a thread: one at a time, so that others go on being answered.
    private let waiting = Waiting()

    init(service: Service) { self.service = service }

    private final class Waiting: Sendable {
        let isTaken = Atomic<Bool>(false)
    }

    func state(_ exchange: Exchange) throws(Problem) {
        let (key, state) = try look(exchange)
        let user = exchange.parameter
        let session = prepare(state, exchange)
        let out = exchange.out
        write(user, state, to: out)
        guard state.isScored else { return out.append("null}") }
        do throws(Problem) {
            try session.score(1) { _ in "" }
            key.withUnsafeBytes { session.write(0, user: $0, into: out) }
        } catch {
            // The stream sends such an event to the dead letter: there is no score.
            out.append("null")
        }
        out.append("}")
    }

    /// Contributions of each feature to the person's effect now.
    func explain(_ exchange: Exchange, _ explain: ExplainRoute) throws(Problem) {
        let (key, state) = try look(exchange)
        try Self.checkConsent(state)
        try explain.write(prepare(state, exchange), user: key, to: exchange.out)
    }

    /// - Throws: `scoring_refused` of a user who refuses it by a consent event.
    static func checkConsent(_ state: LiveTap.UserState) throws(Problem) {
        if state.isScored { return }
        throw Problem(403, "scoring_refused", "the user refuses scoring by a \"user.consent\" event", field: "id")
    }

    private func look(_ exchange: Exchange) throws(Problem) -> (key: [UInt8], state: LiveTap.UserState) {
        let user = exchange.parameter
        guard let source = service.live.source else {
            throw Problem(404, "no_pipeline", "this process serves a model without a pipeline, so it knows no users")
        }
        guard !user.isEmpty, user.utf8.count <= 256 else {
            throw Problem(404, "unknown_user", "a user_id has 1 to 256 bytes", field: "id")
        }
        let key = Array(user.utf8)
        return (key, try find(key, source))
    }

    /// The session with the person's features as its first row.
    private func prepare(_ state: LiveTap.UserState, _ exchange: Exchange) -> ScoringSession {
        let session = ScoringSession.of(exchange, service.served)
        session.clear(session.row(0))
        for (index, value) in state.features.enumerated() where index < service.served.model.featureCount {
            session.row(0)[index] = value
        }
        return session
    }

    private func write(_ user: String, _ state: LiveTap.UserState, to out: ByteBuffer) {
        out.append("{")
        out.member("user_id", user)
        out.member("partition", state.partition)
        out.member("clock", state.clock)
        out.member("events", state.events)
        out.member("features")
        FeatureObject.write(
            state.refuses.contains(.storing) ? [] : state.features, names: service.served.model.featureNames, to: out)
        if !state.refuses.isEmpty { out.member("refuses", texts: state.refuses.names) }
        out.member("score")
    }

    func find(_ key: [UInt8], _ source: any PipelineSource) throws(Problem) -> LiveTap.UserState {
        guard source.partitions > 0 else {
            throw Problem(503, "not_ready", source.notReady ?? "the workers are starting")
        }
        guard !waiting.isTaken.exchange(true, ordering: .acquiringAndReleasing) else {
            throw Problem(503, "busy", "another question about a user waits for its answer; try again")
        }
        defer { waiting.isTaken.store(false, ordering: .releasing) }
        guard let found = source.tap.find([key], within: 2) else {
            throw Problem(503, "no_answer", source.notReady ?? "the workers did not answer within 2 s; try again")
        }
        if let state = found[key] {
            if state.isShown { return state }
            throw Problem(
                404, "storing_refused", "the user refuses by a \"user.consent\" event that anything of theirs is kept",
                field: "id")
        }
        let partition = KeyPartition.murmur2(key, of: source.partitions)
        switch source.tap.partitions[partition] {
        case .ready:
            let isPath = key.contains(0x2F)
            throw Problem(
                404, "unknown_user",
                "no event of this user was seen, or they were erased"
                    + (isPath
                        ? "; with a \"/\" in the id: below a user there are /scores, /predictions and /explain" : ""),
                field: "id")
        case .restoring:
            throw Problem(
                503, "restoring", "the state of partition \(partition), where this user belongs, is being restored")
        case nil:
            let owner = source.owner(of: partition)
            throw Problem(
                owner == nil ? 503 : 421, "other_owner",
                "the user belongs to partition \(partition), which is "
                    + (owner.map { "\($0.clientID)'s on \($0.host)\($0.instance.map { ", instance \($0)" } ?? "")" }
                        ?? "nobody's at the moment"),
                field: "id")
        }
    }

    /// `limit` of a question about the past: 100 when it is not given.
    static func limit(_ exchange: Exchange) throws(Problem) -> Int {
        guard let text = exchange.query("limit") else { return 100 }
        guard let number = Int(text), (1...1_000).contains(number) else {
            throw Problem(422, "invalid_limit", "must be 1 to 1000", field: "limit")
        }
        return number
    }

    func scores(_ exchange: Exchange) throws(Problem) {
        guard let history = service.live.scores else {
            throw Problem(
                404, "no_log_store", "log.store is none: scores are published, but not kept where they can be looked up"
            )
        }
        let limit = try Self.limit(exchange)
        let found: [StoredScore]
        do throws(LogStoreError) { found = try history.scores(ofUser: exchange.parameter, limit: limit) } catch {
            throw Problem(503, error.code, error.message)
        }
        let out = exchange.out
        out.object {
            out.member("user_id", exchange.parameter)
            out.member("scores")
            out.list(found) { write($0, to: out) }
        }
    }

    private func write(_ score: StoredScore, to out: ByteBuffer) {
        out.object {
            out.member("time", score.time)
            out.member("event_type", score.eventType)
            out.member("treatment", score.treatment)
            out.member("outcome", score.outcome)
            out.member("uplift", score.uplift)
            // Of a response model, which has no treatment: the number's own name.
            if service.served.model.predictsProbabilities, score.model == service.served.model.name {
                out.member("probability", score.uplift)
            }
            out.member("std_error", score.standardError)
            out.member("ci_lower", score.lower)
            out.member("ci_upper", score.upper)
            out.member("ci_level", score.level)
            out.member("decision", score.decision)
            out.member("model", score.model)
            out.member("model_version", score.modelVersion)
            out.member("model_sha256", score.modelSHA256)
            out.member("source")
            out.object {
                out.member("topic", score.sourceTopic)
                out.member("partition", score.sourcePartition)
                out.member("offset", score.sourceOffset)
            }
        }
    }
}
