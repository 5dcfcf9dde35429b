import Base

/// One thing that the server does.
package struct Route: Sendable {
    /// `/v1/users/{id}/scores`: one `{id}` at most, which takes a whole segment or more.
    package let path: String
    package let method: Method
    /// Whether it answers without a token: health checks, and pages, which hold nothing of the users.
    package let isOpen: Bool
    /// Types of bodies it reads; empty for none.
    package let consumes: [MediaType]
    package let maxBodyBytes: Int
    /// Parameters that its query may have; nil for any, which a page's script reads.
    package let query: [String]?
    package let handle: @Sendable (Exchange) throws(Problem) -> Void

    package init(
        _ method: Method, _ path: String, isOpen: Bool = false, consumes: [MediaType] = [], maxBodyBytes: Int = 0,
        query: [String]? = [],
        _ handle: @escaping @Sendable (Exchange) throws(Problem) -> Void
    ) {
        self.path = path
        self.method = method
        self.isOpen = isOpen
        self.consumes = consumes
        self.maxBodyBytes = maxBodyBytes
        self.query = query
        self.handle = handle
    }
}

/// Finds the route of a path.
package struct Router: Sendable {
    /// A route by its number, and what its `{id}` is.
    package struct Match {
        package var route: Int
        package var parameter: String
    }

    package enum Finding {
        case found(Match)
        /// The path is a route's, but for other methods.
        case otherMethod(allowed: [Method], route: Int)
        case unknown
    }

    package let routes: [Route]
    /// Routes without a parameter, by path.
    private let fixed: [String: [Int]]
    /// Routes with one: what stands before and behind it. Those with something behind come first.
    private let patterns: [(prefix: String, suffix: String, route: Int)]

    package init(_ routes: [Route]) {
        self.routes = routes
        var fixed: [String: [Int]] = [:]
        var patterns: [(prefix: String, suffix: String, route: Int)] = []
        for (number, route) in routes.enumerated() {
            guard let open = route.path.firstIndex(of: "{"), let close = route.path.firstIndex(of: "}") else {
                fixed[route.path, default: []].append(number)
                continue
            }
            patterns.append(
                (String(route.path[..<open]), String(route.path[route.path.index(after: close)...]), number))
        }
        self.fixed = fixed
        self.patterns = patterns.sorted { $0.suffix.utf8.count > $1.suffix.utf8.count }
    }

    package func find(_ method: Method?, _ path: String) -> Finding {
        var allowed: [Method] = []
        var other: Int?
        if let numbers = fixed[path] {
            for number in numbers {
                if routes[number].method == method { return .found(Match(route: number, parameter: "")) }
                allowed.append(routes[number].method)
            }
            return .otherMethod(allowed: allowed, route: numbers[0])
        }
        for pattern in patterns where path.hasPrefix(pattern.prefix) && path.hasSuffix(pattern.suffix) {
            let parameter = path.dropFirst(pattern.prefix.count).dropLast(pattern.suffix.count)
            guard !parameter.isEmpty, path.count > pattern.prefix.count + pattern.suffix.count else { continue }
            if routes[pattern.route].method == method {
                return .found(Match(route: pattern.route, parameter: String(parameter)))
            }
            allowed.append(routes[pattern.route].method)
            other = other ?? pattern.route
        }
        return other.map { .otherMethod(allowed: allowed, route: $0) } ?? .unknown
    }
}
