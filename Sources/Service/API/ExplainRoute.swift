import Base
import Explain
import JSON
import Scoring
import Synchronization

/// `POST /v1/explain`, `GET /v1/users/{id}/explain`: how much each feature moves a person's effect, or what a
/// response model says of them.
///
/// Exact Shapley values by ``ModelExplainer``; they add up to the number less the base.
final class ExplainRoute: Sendable {
    private struct State {
        var made: (explainer: ModelExplainer, background: Background)?
    }

    let served: ServedModel
    private let live: Live
    /// Made when first asked for: the forest is decoded for it. Of a model whose file says nothing of its training data,
    /// made anew when there are people to count over.
    private let state = Mutex(State())
    /// Fewer people say too little about how often each side of a split is taken.
    private static let fewestPeople = 200

    init(served: ServedModel, live: Live) {
        self.served = served
        self.live = live
    }

    func answer(_ exchange: Exchange) throws(Problem) {
        let session = ScoringSession.of(exchange, served)
        var scanner = JSONScanner(exchange.body, maxDepth: 16)
        session.clear(session.row(0))
        var hasFeatures = false
        var more = try ScoreRoute.enter(&scanner)
        while more {
            let name: JSONScanner.Text
            do throws(InputError) { name = try scanner.scanName() } catch { throw Problem(error) }
            guard session.text(scanner, name) == "features" else {
                throw ScoreRoute.unknownMember(session.text(scanner, name), ["features"])
            }
            if hasFeatures { throw ScoreRoute.twice("features") }
            hasFeatures = true
            guard scanner.current == 0x7B else { throw ScoreRoute.notAnObject(scanner, "features") }
            try session.readFeatures(&scanner, into: session.row(0), place: "features")
            session.complete(session.row(0))
            more = try ScoreRoute.next(&scanner)
        }
        do throws(InputError) { try scanner.expectEnd() } catch { throw Problem(error) }
        guard hasFeatures else {
            throw Problem(422, "missing_field", "give \"features\", a number by name", field: "features")
        }
        try write(session, user: nil, to: exchange.out)
    }

    /// Explains the session's first row.
    func write(_ session: ScoringSession, user: [UInt8]?, to out: ByteBuffer) throws(Problem) {
        try session.score(1) { _ in "features" }
        let model = served.model
        let row = session.row(0)
        let stride = model.rowStride
        let (explainer, background) = try self.explainer(stride: stride)
        let found = explainer.explain(rows: row, stride: stride, count: 1, threads: 1)[0]
        let effect = session.decidedEffect(0)
        guard let explanation = found?[effect] else {
            throw Problem(422, "missing_feature", "this person has no effect to explain", field: "features")
        }
        out.append("{")
        if let user {
            out.append("\"user_id\":")
            user.withUnsafeBytes { out.appendJSONString($0) }
            out.append(",")
        }
        if !model.isResponse {
            out.append("\"treatment\":")
            out.appendJSONString(model.treatments[effect / model.outcomes.count])
            out.append(",")
        }
        out.append("\"outcome\":")
        out.appendJSONString(model.outcomes[effect % model.outcomes.count])
        out.append(",\"method\":")
        out.appendJSONString("exact Shapley values, path-dependent; \(background.words)")
        out.append(",\"background\":{\"source\":")
        out.appendJSONString(background.source.rawValue)
        out.append(",\"rows\":")
        out.append(Int64(background.count))
        out.append("}")
        out.append(",\"base\":")
        out.append(explanation.base)
        if model.isResponse {
            out.append(",\"scale\":")
            out.appendJSONString(explainer.scales[effect].rawValue)
            if explainer.scales[effect] == .logOdds {
                out.append(",\"log_odds\":")
                out.append(explanation.value)
            }
        }
        out.append(",")
        out.appendJSONString(model.isResponse ? model.responseName : "uplift")
        out.append(":")
        // The score's own bits; the sum of the contributions differs in the last digit.
        out.append(session.estimate(0, effect: effect).effect)
        out.append(",\"contributions\":[")
        for (index, contribution) in explanation.contributions.enumerated() {
            if index > 0 { out.append(",") }
            out.append("{\"feature\":")
            out.appendJSONString(model.featureNames[index])
            out.append(",\"value\":")
            if let levels = model.levels(feature: index), row[index] >= 0, row[index] < Float(levels.count) {
                out.appendJSONString(levels[Int(row[index])])
            } else if row[index].isFinite, model.levels(feature: index) == nil {
                out.append(Array("\(row[index])".utf8))
            } else {
                out.append("null")
            }
            out.append(",\"contribution\":")
            out.append(contribution)
            out.append("}")
        }
        out.append("]}")
    }

    /// Rows of the training data when the model file describes it, so that every process has the same base; else people
    /// seen of late, when there are enough.
    private func explainer(stride: Int) throws(Problem) -> (ModelExplainer, Background) {
        do throws(ImpactError) {
            return try state.withLock { state throws(ImpactError) in
                if let made = state.made, made.background.source != .even { return made }
                let background = Background.training(served.model) ?? people(stride)
                if let made = state.made, background.source == .even { return made }
                let made = (try ModelExplainer(served.model, over: background, threads: 1), background)
                state.made = made
                return made
            }
        } catch { throw Problem(error, status: 404) }
    }

    private func people(_ stride: Int) -> Background {
        let people = Background(live.rowsOfPeople(stride: stride), stride: stride, source: .people)
        return people.count >= Self.fewestPeople ? people : .even
    }
}
