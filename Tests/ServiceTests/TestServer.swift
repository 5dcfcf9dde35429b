import Base
import Foundation
import Scoring
import Service
import TestSupport

/// A server of the demo's model on a free port of the loopback.
final class TestServer {
    let server: HTTPServer
    let service: Service
    let served: ServedModel

    static func model() throws -> Model {
        try Model.open(path: SharedMaterial.repository.appending(path: "examples/demo/demo.model").path)
    }

    init(
        attribution: (any AttributionSource)? = nil, _ change: (inout ServerOptions) -> Void = { _ in }
    ) throws {
        served = ServedModel(model: try Self.model(), level: .usual, threshold: 0)
        service = Service(served: served, version: "test", attribution: attribution)
        var options = ServerOptions()
        options.listen = ListenAddress(host: "127.0.0.1", port: 0)
        options.access.hosts = Access.loopbackHosts
        change(&options)
        server = try service.start(options)
    }

    deinit {
        service.live.stop()
        server.stop()
    }

    var port: UInt16 { server.address.port }

    func client(seconds: Int = 10) throws -> LoopbackClient {
        guard let client = LoopbackClient(port: port, seconds: seconds) else {
            throw ImpactError(.failed, code: "no_connection", "cannot connect to port \(port)")
        }
        return client
    }

    /// A person with random features, as JSON members and as values.
    func person(_ generator: inout SeededGenerator) -> (json: String, values: [Float]) {
        var values: [Float] = []
        for range in served.ranges {
            let value =
                range.choices.map { $0[Int.random(in: 0..<$0.count, using: &generator)] }
                ?? Double.random(in: range.low...range.high, using: &generator)
            values.append(Float(range.isWhole ? value.rounded() : value))
        }
        let members = zip(served.model.featureNames, values).map { "\"\($0)\":\($1)" }
        return ("{\(members.joined(separator: ","))}", values)
    }
}
