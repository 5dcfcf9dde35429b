import Base
import JSON
import Pipeline
import Propensity
import Scoring
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
        sessions = Sessions(service.served.model)
    }

    /// A scorer a thread that is at work, used again and again.
    private final class Sessions: Sendable {
        private let model: Model
        private let free = Mutex<[Session]>([])

        init(_ model: Model) { self.model = model }

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
                do throws(ImpactError) { session = Session(try PredictAPI(model)) } catch {
                    throw Problem(error, status: 404)
                }
            }
            defer { free.withLock { $0.append(session) } }
            return try body(session.api)
        }
    }

    func one(_ exchange: Exchange) throws(Problem) {
        let answer = try sessions.with { api throws(Problem) in
            do throws(PredictAPI.Fault) { return try api.predict(Array(exchange.body)) } catch {
                throw Self.problem(error)
            }
        }
        exchange.out.append(Array(answer.line.utf8))
    }

    func batch(_ exchange: Exchange) throws(Problem) {
        let start = ContinuousClock.now
        let answer = try sessions.with { api throws(Problem) in
            do throws(PredictAPI.Fault) {
                return try api.predictBatch(Array(exchange.body)) { (ContinuousClock.now - start) / .seconds(1) }
            } catch { throw Self.problem(error) }
        }
        exchange.out.append(Array(answer.line.utf8))
    }

    /// From the live state of the worker that owns the customer's partition.
    func customer(_ exchange: Exchange) throws(Problem) {
        guard let customer = exchange.query("customer_id"), !customer.isEmpty, customer.utf8.count <= 256 else {
            throw Problem(422, "missing_field", "name the customer: /predict?customer_id=…", field: "customer_id")
        }
        let answer = try sessions.with { api throws(Problem) in
            guard let source = service.live.source else {
                throw Problem(
                    404, "no_pipeline",
                    "this process serves a model without a pipeline, so it knows no customers; POST /predict takes features"
                )
            }
            let state = try users.find(Array(customer.utf8), source)
            return api.ads(customer: customer, row: state.features)
        }
        exchange.out.append(Array(answer.line.utf8))
    }

    private static func problem(_ fault: PredictAPI.Fault) -> Problem {
        Problem(fault.status, fault.status == 400 ? "invalid_json" : "invalid_field", fault.detail, field: fault.field)
    }

    /// The routes' part of OpenAPI's `paths`, with a comma at its end.
    static let paths = #"""
        "/predict":{"get":{"tags":["Scores"],"operationId":"predictCustomer","summary":"A customer's probabilities and the ads to show","parameters":[{"name":"customer_id","in":"query","required":true,"description":"the user_id","schema":{"type":"string","minLength":1,"maxLength":256},"example":"u-17"}],"responses":{"200":{"description":"from the live state","content":{"application/json":{"schema":{"type":"object","required":["customer_id","predictions","ads"]}}}},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"421":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}},"post":{"tags":["Scores"],"operationId":"predict","summary":"The probability that one customer buys","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["customer_id"],"properties":{"customer_id":{"type":["string","number"]}}}}}},"responses":{"200":{"description":"the prediction","content":{"application/json":{"schema":{"type":"object","required":["customer_id","purchase_prediction","purchase_probability","prediction_confidence"],"properties":{"customer_id":{"type":["string","number"]},"purchase_prediction":{"enum":[0,1]},"purchase_probability":{"type":["number","null"]},"prediction_confidence":{"enum":["low","medium","high"]}}}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"}}}},
        "/predict/batch":{"post":{"tags":["Scores"],"operationId":"predictBatch","summary":"1 to 1,000 customers","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["customers"],"properties":{"customers":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"object","required":["customer_id"]}}}}}}},"responses":{"200":{"description":"the predictions, in the same order","content":{"application/json":{"schema":{"type":"object","required":["predictions","total_customers","processing_time_seconds"]}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"}}}},

        """#
}
