import Base

/// One moment of the dashboard's curves; rates are a second, times milliseconds. NaN is "not known".
struct LiveMoment: Sendable {
    /// Milliseconds since 1970.
    var time: Int64 = 0
    var messages = 0.0
    var treat = 0.0
    var suppress = 0.0
    var uncertain = 0.0
    var deadLetters = 0.0
    var requests = 0.0
    var lag = Double.nan
    var median = Double.nan
    var p99 = Double.nan
    var users = Double.nan
    var storeLag = Double.nan

    /// The names of ``write(to:)``'s numbers, in its order.
    static let fields = [
        "time", "messages", "treat", "suppress", "uncertain", "dead_letters", "requests", "lag", "p50_ms", "p99_ms",
        "users", "store_lag",
    ]

    private var numbers: [Double] {
        [messages, treat, suppress, uncertain, deadLetters, requests, lag, median, p99, users, storeLag]
    }

    func write(to out: ByteBuffer) {
        out.append("[")
        out.append(time)
        for number in numbers {
            out.append(",")
            // Four digits are more than a curve shows.
            out.append(number.isFinite ? (number * 1_000).rounded() / 1_000 : .nan)
        }
        out.append("]")
    }

    /// The mean of the rates, the last of what stands, the worst of the latencies.
    static func merged(_ moments: [LiveMoment]) -> LiveMoment {
        guard var merged = moments.last else { return LiveMoment() }
        let count = Double(moments.count)
        func mean(_ path: KeyPath<LiveMoment, Double>) -> Double {
            moments.reduce(0) { $0 + $1[keyPath: path] } / count
        }
        func worst(_ path: KeyPath<LiveMoment, Double>) -> Double {
            moments.map { $0[keyPath: path] }.filter(\.isFinite).max() ?? .nan
        }
        merged.messages = mean(\.messages)
        merged.treat = mean(\.treat)
        merged.suppress = mean(\.suppress)
        merged.uncertain = mean(\.uncertain)
        merged.deadLetters = mean(\.deadLetters)
        merged.requests = mean(\.requests)
        merged.median = worst(\.median)
        merged.p99 = worst(\.p99)
        merged.lag = worst(\.lag)
        return merged
    }
}

/// The last hour in steps of five seconds: what a page shows at once after a reload.
struct LiveHistory: Sendable {
    static let step = 5
    static let steps = 720
    private(set) var moments: [LiveMoment] = []
    private var open: [LiveMoment] = []

    mutating func add(_ moment: LiveMoment) {
        open.append(moment)
        guard open.count == Self.step else { return }
        if moments.count == Self.steps { moments.removeFirst() }
        moments.append(LiveMoment.merged(open))
        open.removeAll(keepingCapacity: true)
    }
}
