import Base
import Foundation
import JSON
import Propensity

/// The routes of the product: what the server of `serve`, `run` and `demo` answers.
package final class Service: Sendable {
    package let served: ServedModel
    package let version: String
    package let live: Live
    package let stream = EventStream()
    private let attribution: (any AttributionSource)?
    /// Weights and baselines of `POST /predict`'s impacts; nil: there are none.
    let impact: ImpactAnalysis?

    /// - Parameters:
    ///   - version: of the program.
    ///   - source: the pipeline of this process; nil when there is none.
    ///   - scores: the log store; nil when none is set.
    ///   - attribution: the channel report; nil when none is set.
    ///   - impact: what moves a prediction, by a team's weights; nil: nothing is said of it.
    package init(
        served: ServedModel, version: String, source: (any PipelineSource)? = nil, scores: ScoreHistory? = nil,
        attribution: (any AttributionSource)? = nil, impact: ImpactAnalysis? = nil
    ) {
        self.attribution = attribution
        self.served = served
        self.impact = impact
        self.version = version
        live = Live(served: served, source: source, scores: scores, stream: stream)
    }

    /// Begins to listen.
    package func start(_ options: ServerOptions) throws(ImpactError) -> HTTPServer {
        let server = try HTTPServer(options: options, routes: routes(), stream: stream)
        live.start(server)
        return server
    }

    /// Method and path of each route but the pages: what `/openapi.json` describes.
    package var described: [(method: String, path: String)] {
        let pages = Set(Pages.routes.map(\.path))
        return routes().filter { !pages.contains($0.path) }.map { ($0.method.rawValue, $0.path) }
    }

    private func routes() -> [Route] {
        let score = ScoreRoute(served: served)
        let batch = BatchRoute(served: served)
        let simulate = SimulateRoute(served: served)
        let model = ModelRoute(served: served)
        let explain = ExplainRoute(served: served, live: live)
        let health = HealthRoutes(service: self)
        let users = UserRoutes(service: self)
        let predict = PredictRoutes(service: self, users: users)
        let metrics = MetricsRoute(service: self)
        let channels = AttributionRoute(source: attribution)
        let live = self.live
        let description = OpenAPI(served: served, version: version).document
        return [
            Route(.get, "/health", isOpen: true) { exchange throws(Problem) in health.health(exchange) },
            Route(.get, "/ready", isOpen: true) { exchange throws(Problem) in try health.ready(exchange) },
            Route(.post, "/v1/score", consumes: [.json], maxBodyBytes: 4 << 20) { exchange throws(Problem) in
                try score.answer(exchange)
            },
            Route(
                .post, "/v1/score/batch", consumes: [.json, .jsonLines, .csv], maxBodyBytes: BatchRoute.maxBodyBytes
            ) { exchange throws(Problem) in try batch.answer(exchange) },
            Route(.post, "/v1/simulate", consumes: [.json], maxBodyBytes: 1 << 20) { exchange throws(Problem) in
                try simulate.answer(exchange)
            },
            Route(.get, "/v1/model") { exchange throws(Problem) in try model.answer(exchange) },
            Route(.get, "/v1/users/{id}") { exchange throws(Problem) in try users.state(exchange) },
            Route(.get, "/v1/users/{id}/scores", query: ["limit"]) { exchange throws(Problem) in
                try users.scores(exchange)
            },
            Route(.get, "/v1/users/{id}/predictions", query: ["limit"]) { exchange throws(Problem) in
                try predict.history(exchange)
            },
            Route(.get, "/v1/users/{id}/explain") { exchange throws(Problem) in try users.explain(exchange, explain) },
            Route(.get, "/v1/user", query: ["id"]) { exchange throws(Problem) in
                try exchange.takeParameter("id")
                try users.state(exchange)
            },
            Route(.get, "/v1/user/scores", query: ["id", "limit"]) { exchange throws(Problem) in
                try exchange.takeParameter("id")
                try users.scores(exchange)
            },
            Route(.get, "/v1/user/predictions", query: ["id", "limit"]) { exchange throws(Problem) in
                try exchange.takeParameter("id")
                try predict.history(exchange)
            },
            Route(.get, "/v1/user/explain", query: ["id"]) { exchange throws(Problem) in
                try exchange.takeParameter("id")
                try users.explain(exchange, explain)
            },
            Route(.post, "/v1/explain", consumes: [.json], maxBodyBytes: 1 << 20) { exchange throws(Problem) in
                try explain.answer(exchange)
            },
            Route(.get, "/predict", query: ["customer_id"]) { exchange throws(Problem) in try predict.customer(exchange)
            },
            Route(.post, "/predict", consumes: [.json], maxBodyBytes: 1 << 20) { exchange throws(Problem) in
                try predict.one(exchange)
            },
            Route(.post, "/predict/batch", consumes: [.json], maxBodyBytes: 4 << 20) { exchange throws(Problem) in
                try predict.batch(exchange)
            },
            Route(.get, "/v1/attribution") { exchange throws(Problem) in try channels.answer(exchange) },
            Route(.get, "/v1/people") { exchange throws(Problem) in live.writePeople(to: exchange.out) },
            Route(.get, "/v1/live") { exchange throws(Problem) in live.writeHistory(to: exchange.out) },
            Route(.get, "/v1/stream") { exchange throws(Problem) in try live.open(exchange) },
            Route(.get, "/openapi.json") { exchange throws(Problem) in
                exchange.out.append(Array(description.utf8))
            },
            Route(.get, "/metrics") { exchange throws(Problem) in metrics.answer(exchange) },
        ] + Pages.routes
    }
}
