import Service
import Testing

struct RouterTests {
    private static func route(_ method: Method, _ path: String) -> Route {
        Route(method, path) { _ throws(Problem) in }
    }

    private let router = Router([
        route(.get, "/health"), route(.post, "/v1/score"), route(.get, "/v1/users/{id}"),
        route(.get, "/v1/users/{id}/scores"), route(.get, "/"),
    ])

    private func found(_ method: Method?, _ path: String) -> String {
        switch router.find(method, path) {
        case .found(let match): "\(match.route) \(match.parameter)"
        case .otherMethod(let allowed, _): "other \(allowed.map(\.rawValue).joined(separator: ","))"
        case .unknown: "unknown"
        }
    }

    @Test func findsRoutesByPathAndMethod() {
        #expect(found(.get, "/health") == "0 ")
        #expect(found(.get, "/") == "4 ")
        #expect(found(.post, "/health") == "other GET")
        #expect(found(nil, "/v1/score") == "other POST")
        #expect(found(.get, "/nothing") == "unknown")
        #expect(found(.get, "/health/") == "unknown")
    }

    @Test func takesTheParameterOfTheLongerPatternFirst() {
        #expect(found(.get, "/v1/users/u-17") == "2 u-17")
        #expect(found(.get, "/v1/users/u-17/scores") == "3 u-17")
        #expect(found(.get, "/v1/users/a b/ü") == "2 a b/ü")
        #expect(found(.get, "/v1/users/") == "unknown")
        #expect(found(.post, "/v1/users/u-17") == "other GET")
    }
}
