import Base
import Foundation
import JSON
import Pipeline
import Propensity
import Scoring
import Sinks
import Synchronization
import Terminal

/// `GET /predict?customer_id=`, `POST /predict`, `POST /predict/batch`: the propensity of the seed systems.
///
/// Only a response model answers; with any other the routes say so (404).
struct PredictRoutes: Sendable {
    private let service: Service
    private let users: UserRoutes
    private let sessions: Sessions

    init(service: Service, users: UserRoutes) {
        self.service = service
        self.users = users
        sessions = Sessions(service.served, service.impact)
    }

    /// A scorer a thread that is at work, used again and again.
    private final class Sessions: Sendable {
        private let served: ServedModel
        private let free = Mutex<[Session]>([])

        private let impact: ImpactAnalysis?

        init(_ served: ServedModel, _ impact: ImpactAnalysis?) {
            self.served = served
            self.impact = impact
        }

        /// @unchecked Sendable: out of the list it belongs to one thread.
        private final class Session: @unchecked Sendable {
            let api: PredictAPI
            init(_ api: PredictAPI) { self.api = api }
        }

        /// Lends one to `body`; nobody else has it meanwhile.
        func with<Result>(_ body: (PredictAPI) throws(Problem) -> Result) throws(Problem) -> Result {
            let session: Session
            if let known = free.withLock({ $0.popLast() }) {
                session = known
            } else {
                do throws(ImpactError) {
                    session = Session(try PredictAPI(served.model, impact: impact, defaults: served.defaults))
                } catch {
                    throw Problem(error, status: 404)
                }
            }
            defer { free.withLock { $0.append(session) } }
            return try body(session.api)
        }
    }

    func one(_ exchange: Exchange) throws(Problem) {
        let answer = try sessions.with { api throws(Problem) in
            let answer: JSONOutput
            do throws(PredictAPI.Fault) { answer = try api.predict(Array(exchange.body)) } catch {
                throw Self.problem(error)
            }
            record(api)
            return answer
        }
        exchange.out.append(Array(answer.line.utf8))
    }

    func batch(_ exchange: Exchange) throws(Problem) {
        let start = ContinuousClock.now
        let answer = try sessions.with { api throws(Problem) in
            let answer: JSONOutput
            do throws(PredictAPI.Fault) {
                answer = try api.predictBatch(Array(exchange.body)) { (ContinuousClock.now - start) / .seconds(1) }
            } catch { throw Self.problem(error) }
            record(api)
            return answer
        }
        exchange.out.append(Array(answer.line.utf8))
    }

    /// From the live state of the worker that owns the customer's partition; when this process has no such worker, or it
    /// cannot answer, from the customer's last score in the log store.
    func customer(_ exchange: Exchange) throws(Problem) {
        guard let customer = exchange.query("customer_id"), !customer.isEmpty, customer.utf8.count <= 256 else {
            throw Problem(422, "missing_field", "name the customer: /predict?customer_id=…", field: "customer_id")
        }
        let answer = try sessions.with { api throws(Problem) in
            var problem: Problem
            if let source = service.live.source {
                do throws(Problem) {
                    let state = try users.find(Array(customer.utf8), source)
                    try UserRoutes.checkConsent(state)
                    let answer = api.ads(customer: customer, row: state.features)
                    record(api)
                    return answer
                } catch {
                    problem = error
                    if error.field == "id" { problem.field = "customer_id" }
                    // Their last score is no answer either.
                    if error.code.hasSuffix("_refused") { throw problem }
                }
            } else {
                problem = Problem(
                    404, "no_pipeline",
                    "this process has neither a pipeline nor a log store, so it knows no customers; POST /predict takes features"
                )
            }
            guard let stored = try fromLogStore(customer, api.model) else { throw problem }
            return stored
        }
        exchange.out.append(Array(answer.line.utf8))
    }

    /// Scores of a customer that are looked through for one of this model.
    private static let lastScores = 20

    /// nil without a log store. A customer without a score there is a problem of its own.
    private func fromLogStore(_ customer: String, _ model: Model) throws(Problem) -> JSONOutput? {
        guard let history = service.live.scores else { return nil }
        let found: [StoredScore]
        do throws(LogStoreError) {
            found = try history.scores(ofUser: customer, limit: Self.lastScores)
        } catch { throw Problem(503, error.code, error.message) }
        for score in found {
            guard
                let probabilities = PredictAPI.probabilities(
                    model, name: score.model, outcome: score.outcome, probability: score.uplift, effects: score.effects)
            else { continue }
            return PredictAPI.ads(
                model, customer: customer, probabilities,
                from: .logStore(time: score.time, modelVersion: score.modelVersion))
        }
        if service.live.source != nil { return nil }
        throw Problem(
            404, "unknown_user", "the log store has no score of this customer by the model \(model.name)",
            field: "customer_id")
    }

    /// Keeps the request's predictions with what moved them. A log store that fails takes no answer away: it is logged.
    private func record(_ api: PredictAPI) {
        guard let history = service.live.scores, !api.predictions.isEmpty else { return }
        let refusing = refusing(api.predictions.map(\.customer))
        let (model, now) = (api.model, Int64(Date().timeIntervalSince1970 * 1_000))
        let stored = api.predictions.filter { !refusing.contains($0.customer) }.flatMap { prediction in
            let impacts = ImpactAnalysis.json(prediction.impacts).line
            return zip(model.outcomes, prediction.probabilities).map { outcome, probability in
                StoredPrediction(
                    user: prediction.customer, time: now, model: model.name, modelVersion: model.version,
                    outcome: outcome, probability: probability, confidence: PredictAPI.confidence(probability),
                    impacts: impacts)
            }
        }
        guard !stored.isEmpty else { return }
        do throws(LogStoreError) { try history.append(predictions: stored) } catch {
            Log.warning("http", "predictions were not kept: \(error.message)")
        }
    }

    /// Customers of whom nothing may be kept, as far as this process's workers know; all of them when they do not answer.
    private func refusing(_ customers: [String]) -> Set<String> {
        guard let source = service.live.source else { return [] }
        guard let found = source.tap.find(customers.map { Array($0.utf8) }, within: 1) else { return Set(customers) }
        return Set(customers.filter { !(found[Array($0.utf8)]?.refuses.isEmpty ?? true) })
    }

    /// What was predicted of a user and what moved it, the latest first.
    func history(_ exchange: Exchange) throws(Problem) {
        guard let history = service.live.scores else {
            throw Problem(
                404, "no_log_store", "log.store is none: predictions are not kept where they can be looked up")
        }
        let limit = try UserRoutes.limit(exchange)
        let found: [StoredPrediction]
        do throws(LogStoreError) {
            found = try history.predictions(ofUser: exchange.parameter, limit: limit)
        } catch { throw Problem(503, error.code, error.message) }
        let out = exchange.out
        out.append("{\"user_id\":")
        out.appendJSONString(exchange.parameter)
        out.append(",\"predictions\":[")
        for (index, prediction) in found.enumerated() {
            if index > 0 { out.append(",") }
            out.append("{\"time\":")
            out.append(prediction.time)
            for (name, text) in [
                ("outcome", prediction.outcome), ("confidence", prediction.confidence), ("model", prediction.model),
                ("model_version", prediction.modelVersion),
            ] {
                out.append(Array(",\"\(name)\":".utf8))
                out.appendJSONString(text)
            }
            out.append(",\"probability\":")
            out.append(prediction.probability)
            // Written by this program as JSON.
            out.append(",\"impacts\":")
            out.append(Array(prediction.impacts.utf8))
            out.append("}")
        }
        out.append("]}")
    }

    private static func problem(_ fault: PredictAPI.Fault) -> Problem {
        Problem(fault.status, fault.status == 400 ? "invalid_json" : "invalid_field", fault.detail, field: fault.field)
    }

    /// The routes' part of OpenAPI's `paths`, with a comma at its end.
    static let paths = #"""
        "/predict":{"get":{"tags":["Scores"],"operationId":"predictCustomer","summary":"A customer's probabilities and the ads to show","parameters":[{"name":"customer_id","in":"query","required":true,"description":"the user_id","schema":{"type":"string","minLength":1,"maxLength":256},"example":"u-17"}],"responses":{"200":{"description":"from the live state, or the last score in the log store","content":{"application/json":{"schema":{"type":"object","required":["customer_id","predictions","ads"]}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"421":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}},"post":{"tags":["Scores"],"operationId":"predict","summary":"The probability that one customer buys","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["customer_id"],"properties":{"customer_id":{"type":["string","number"]}}}}}},"responses":{"200":{"description":"the prediction","content":{"application/json":{"schema":{"type":"object","required":["customer_id","purchase_prediction","purchase_probability","prediction_confidence"],"properties":{"customer_id":{"type":["string","number"]},"purchase_prediction":{"enum":[0,1]},"purchase_probability":{"type":["number","null"]},"prediction_confidence":{"enum":["low","medium","high"]}}}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/users/{id}/predictions":{"get":{"tags":["People"],"operationId":"userPredictions","summary":"A person's last predictions and what moved them","parameters":[{"name":"id","in":"path","required":true,"description":"the user_id","schema":{"type":"string","minLength":1,"maxLength":256},"example":"u-17"},{"name":"limit","in":"query","required":false,"description":"1 to 1000","schema":{"type":"integer","minimum":1,"maximum":1000,"default":100}}],"responses":{"200":{"description":"from the log store, the newest first","content":{"application/json":{"schema":{"type":"object","required":["user_id","predictions"],"properties":{"user_id":{"type":"string"},"predictions":{"type":"array","items":{"type":"object","required":["time","outcome","confidence","model","model_version","probability","impacts"]}}}}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/predict/batch":{"post":{"tags":["Scores"],"operationId":"predictBatch","summary":"1 to 1,000 customers","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["customers"],"properties":{"customers":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"object","required":["customer_id"]}}}}}}},"responses":{"200":{"description":"the predictions, in the same order","content":{"application/json":{"schema":{"type":"object","required":["predictions","total_customers","processing_time_seconds"]}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"}}}},

        """#
}
