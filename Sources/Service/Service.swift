import Base
import Foundation
import JSON

/// The routes of the product: what the server of `serve`, `run` and `demo` answers.
package final class Service: Sendable {
    package let served: ServedModel
    package let version: String
    package let stream = EventStream()

    /// - Parameters:
    ///   - version: of the program.
    package init(
        served: ServedModel, version: String
    ) {
        self.served = served
        self.version = version
    }

    /// Begins to listen.
    package func start(_ options: ServerOptions) throws(ImpactError) -> HTTPServer {
        try HTTPServer(options: options, routes: routes(), stream: stream)
    }

    private func routes() -> [Route] {
        let score = ScoreRoute(served: served)
        let batch = BatchRoute(served: served)
        let simulate = SimulateRoute(served: served)
        let model = ModelRoute(served: served)
        let health = HealthRoutes(service: self)
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
        ]
    }
}
