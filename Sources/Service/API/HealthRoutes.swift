import Base
import JSON

/// `GET /health`: the process answers. `GET /ready`: it does its work too.
struct HealthRoutes: Sendable {
    let service: Service

    func health(_ exchange: Exchange) {
        write("healthy", exchange)
    }

    func ready(_ exchange: Exchange) throws(Problem) {
        if let reason = service.live.notReady { throw Problem(503, "not_ready", reason) }
        write("ready", exchange)
    }

    private func write(_ status: String, _ exchange: Exchange) {
        let out = exchange.out
        out.append("{\"status\":")
        out.appendJSONString(status)
        out.append(",\"model_loaded\":true,\"version\":")
        out.appendJSONString(service.version)
        out.append(",\"model_info\":")
        ModelRoute(served: service.served).writeBrief(to: out)
        out.append("}")
    }
}
