import Base
import Synchronization

/// What the server counts: requests by route and status, how long they took, connections.
package final class RequestMetrics: Sendable {
    package let requests: RequestCounter
    package let seconds: RequestSeconds
    package let connections = Gauge("impactiq_http_connections", help: "Connections open now")
    package let slow = Counter(
        "impactiq_http_slow_connections_total", help: "Connections closed since a request did not arrive in time")
    package let streams = Gauge("impactiq_http_streams", help: "Clients that listen to the stream of events")

    /// - Parameter routes: the routes' paths with their methods, by number.
    init(routes: [String]) {
        requests = RequestCounter(routes: routes + [Self.none])
        seconds = RequestSeconds(routes: routes + [Self.none])
    }

    /// Stands for a path that is not a route, so that foreign paths make no labels.
    private static let none = "none"

    func count(route: Int?, status: Int, seconds: Double) {
        requests.count(route: route, status: status)
        self.seconds.record(route: route, seconds)
    }

    /// A request that nobody timed.
    func count(route: Int?, status: Int) { requests.count(route: route, status: status) }
}

/// An atomic number in an array.
private final class Cell: Sendable {
    let value = Atomic<Int>(0)
}

/// Requests by route and status.
package final class RequestCounter: Metric {
    package let about = MetricDescription(
        "impactiq_http_requests_total", .counter, labels: ["route", "status"],
        help: "Requests, by the status of their answer; 499: the sender left before it")
    /// Statuses that the server gives, and 499 for a sender who left before the answer; another one would count as 500.
    private static let statuses = [
        200, 204, 304, 400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 421, 422, 429, 431,
        499, 500, 501, 503, 505,
    ]
    private let routes: [String]
    private let cells: [[Cell]]

    init(routes: [String]) {
        self.routes = routes
        cells = routes.map { _ in Self.statuses.map { _ in Cell() } }
    }

    func count(route: Int?, status: Int) {
        let place = Self.statuses.firstIndex(of: status) ?? Self.statuses.firstIndex(of: 500) ?? 0
        cells[route ?? cells.count - 1][place].value.wrappingAdd(1, ordering: .relaxed)
    }

    package var samples: [MetricSample] {
        zip(routes, cells).flatMap { route, cells in
            zip(Self.statuses, cells).compactMap { status, cell in
                let count = cell.value.load(ordering: .relaxed)
                return count == 0 ? nil : MetricSample(labels: [route, "\(status)"], value: .number(Double(count)))
            }
        }
    }

    package var total: Double? {
        Double(cells.reduce(0) { $0 + $1.reduce(0) { $0 + $1.value.load(ordering: .relaxed) } })
    }
}

/// How long requests took, from their headers to the answer's last byte, by route.
package final class RequestSeconds: Metric {
    package let about = MetricDescription(
        "impactiq_http_request_seconds", .histogram, unit: .seconds, labels: ["route"],
        help: "From a request's headers to the last byte of its answer")
    private let routes: [String]
    private let values: [Distribution]

    init(routes: [String]) {
        self.routes = routes
        values = routes.map { _ in Distribution(smallest: 1.0 / 65_536) }
    }

    func record(route: Int?, _ seconds: Double) { values[route ?? values.count - 1].record(seconds) }

    package var samples: [MetricSample] {
        zip(routes, values).compactMap { route, values in
            let reading = values.reading
            return reading.count == 0 ? nil : MetricSample(labels: [route], value: .histogram(reading))
        }
    }

    package var total: Double? { nil }
}
