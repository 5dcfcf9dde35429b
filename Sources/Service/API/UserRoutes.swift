import Base
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
        try explain.write(prepare(state, exchange), user: key, to: exchange.out)
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
        out.append("{\"user_id\":")
        out.appendJSONString(user)
        out.append(",\"partition\":")
        out.append(Int64(state.partition))
        out.append(",\"clock\":")
        out.append(state.clock)
        out.append(",\"events\":")
        out.append(Int64(state.events))
        out.append(",\"features\":")
        FeatureObject.write(state.features, names: service.served.model.featureNames, to: out)
        out.append(",\"score\":")
    }

    func find(_ key: [UInt8], _ source: any PipelineSource) throws(Problem) -> LiveTap.UserState {
        guard !waiting.isTaken.exchange(true, ordering: .acquiringAndReleasing) else {
            throw Problem(503, "busy", "another question about a user waits for its answer; try again")
        }
        defer { waiting.isTaken.store(false, ordering: .releasing) }
        guard let found = source.tap.find([key], within: 2) else {
            throw Problem(503, "no_answer", source.notReady ?? "the workers did not answer within 2 s; try again")
        }
        if let state = found[key] { return state }
        let partition = KeyPartition.murmur2(key, of: source.partitions)
        switch source.tap.partitions[partition] {
        case .ready:
            throw Problem(
                404, "unknown_user", "no event of this user was seen, or they were erased", field: "id")
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
        out.append("{\"user_id\":")
        out.appendJSONString(exchange.parameter)
        out.append(",\"scores\":[")
        for (index, score) in found.enumerated() {
            if index > 0 { out.append(",") }
            write(score, to: out)
        }
        out.append("]}")
    }

    private func write(_ score: StoredScore, to out: ByteBuffer) {
        func text(_ name: StaticString, _ value: String?) {
            out.append(name)
            if let value { out.appendJSONString(value) } else { out.append("null") }
        }
        out.append("{\"time\":")
        out.append(score.time)
        text(",\"event_type\":", score.eventType)
        text(",\"treatment\":", score.treatment)
        text(",\"outcome\":", score.outcome)
        out.append(",\"uplift\":")
        out.append(score.uplift)
        out.append(",\"std_error\":")
        out.append(score.standardError)
        out.append(",\"ci_lower\":")
        out.append(score.lower)
        out.append(",\"ci_upper\":")
        out.append(score.upper)
        out.append(",\"ci_level\":")
        out.append(score.level)
        text(",\"decision\":", score.decision)
        text(",\"model\":", score.model)
        text(",\"model_version\":", score.modelVersion)
        text(",\"model_sha256\":", score.modelSHA256)
        text(",\"source\":{\"topic\":", score.sourceTopic)
        out.append(",\"partition\":")
        out.append(Int64(score.sourcePartition))
        out.append(",\"offset\":")
        out.append(score.sourceOffset)
        out.append("}}")
    }
}
