import Foundation

/// What rows mean, word for word: keeps every event and looks at all of them for each row. Shares no code with the
/// module; the features are four whose definitions fit on a line.
struct RowsOracle {
    struct Event {
        var id: String?
        var user: String
        var type: String
        var time: Int64
        var value: Double?
        var arm: String?
        var propensity: Double?
        /// A field that `last` reads.
        var x: Double?

        var json: String {
            var members = [#""user_id":"\#(user)""#, #""type":"\#(type)""#, #""time":\#(time)"#]
            if let id { members.append(#""id":"\#(id)""#) }
            if let value { members.append(#""value":\#(value)"#) }
            if let arm {
                let chance = propensity.map { #","propensity":\#($0)"# } ?? ""
                let name = arm.replacing("\"", with: "\\\"")
                members.append(#""treatment":{"experiment_id":"trial","arm":"\#(name)"\#(chance)}"#)
            }
            if let x { members.append(#""properties":{"x":\#(x)}"#) }
            return "{" + members.joined(separator: ",") + "}"
        }
    }

    static let features = """
        {"features":[
          {"name":"clicks_2d","aggregate":"count","events":["click"],"window":"2d","bucket":"1h"},
          {"name":"x","aggregate":"last","field":"properties.x"},
          {"name":"since_click","aggregate":"recency","events":["click"]},
          {"name":"purchases_2d","aggregate":"count","events":["purchase"],"window":"2d","bucket":"1h"},
          {"name":"campaigns_all","aggregate":"count","window":"2d","bucket":"1h"}]}
        """

    struct Row: Equatable, CustomStringConvertible {
        var offset: Int
        var user: String
        var arm: String
        var features: [Float?]
        var outcomes: [Double]
        var isCensored: Bool

        var description: String {
            "\(offset) \(user) \(arm) \(features.map { $0.map { "\($0)" } ?? "-" }) \(outcomes) \(isCensored ? "censored" : "")"
        }
    }

    var window: Int64
    var lateness: Int64

    /// Whether events at each place were new to their user: an id among the user's last 16 is a duplicate.
    private func kept(_ events: [Event]) -> [Bool] {
        var known: [String: [String]] = [:]
        return events.map { event in
            guard let id = event.id else { return true }
            if known[event.user, default: []].suffix(16).contains(id) { return false }
            known[event.user, default: []].append(id)
            return true
        }
    }

    /// What a share of the users have reached, and whoever follows in due time: the lateness, or ten times the median of the
    /// 32 gaps before.
    private func reached(_ times: [Int64], share: Double) -> Int64 {
        let farthest = times.sorted(by: >)
        if farthest.count < 2 { return farthest.first ?? 0 }
        let many = max(2, Int((Double(farthest.count) * share).rounded(.up)))
        var known = Array(farthest[(many - 1)...].reversed())
        for next in farthest[..<(many - 1)].reversed() {
            let gaps = zip(known, known.dropFirst()).map { $1 - $0 }.suffix(32).sorted()
            let usual = gaps.isEmpty ? 0 : gaps[gaps.count / 2]
            guard next - known[known.count - 1] <= max(lateness, 10 * usual + 9) else { break }
            known.append(next)
        }
        return known[known.count - 1]
    }

    func rows(_ events: [Event]) -> (rows: [Row], outOfOrder: Int) {
        let kept = kept(events)
        // How far the users have come, before each event: what half of them have reached, and from there on whoever follows in
        // due time; the highest that this ever was. It begins with the ninth user; at the end a quarter is enough.
        var clocks: [Int64] = []
        var latest: [String: Int64] = [:]
        var highest = Int64.min
        for (place, event) in events.enumerated() {
            clocks.append(highest)
            guard kept[place] else { continue }
            latest[event.user] = max(latest[event.user] ?? .min, event.time)
            if latest.count >= 9 { highest = max(highest, reached(Array(latest.values), share: 0.5)) }
        }
        let end = max(highest, reached(Array(latest.values), share: 0.25))
        var rows: [Row] = []
        var outOfOrder = 0
        for (place, event) in events.enumerated() where event.arm != nil && kept[place] {
            let past = (0..<place).filter { kept[$0] && events[$0].user == event.user }.map { events[$0] }
            if past.contains(where: { $0.time > event.time }) {
                outOfOrder += 1
                continue
            }
            var outcomes = [0.0, 0.0, 0.0]
            for later in place..<events.count where kept[later] && events[later].user == event.user {
                let outcome = events[later]
                guard outcome.time >= event.time, outcome.time < event.time + window else { continue }
                // The row waits until the clock before this one is past its window and the allowed lateness.
                guard clocks[later] <= event.time + window + lateness else { continue }
                switch outcome.type {
                case "purchase":
                    outcomes[0] = 1
                    outcomes[1] += outcome.value ?? 0
                case "refund": outcomes[1] -= outcome.value ?? 0
                case "click": outcomes[2] = 1
                default: break
                }
            }
            rows.append(
                Row(
                    offset: place, user: event.user, arm: event.arm ?? "",
                    features: Self.features(past, at: event.time),
                    outcomes: outcomes, isCensored: event.time + window > end))
        }
        return (rows, outOfOrder)
    }

    static func features(_ past: [Event], at time: Int64) -> [Float?] {
        func count(_ isCounted: (Event) -> Bool) -> Float {
            Float(past.filter { isCounted($0) && $0.time / 3_600_000 > time / 3_600_000 - 48 }.count)
        }
        // Of equal times the one that came last.
        let x = past.filter { $0.x != nil }.enumerated().max {
            ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
        }
        let click = past.filter { $0.type == "click" }.map(\.time).max()
        return [
            count { $0.type == "click" }, x.flatMap { $0.element.x }.map { Float($0) },
            click.map { Float(Double(time - $0) / 1_000) }, count { $0.type == "purchase" }, count { _ in true },
        ]
    }
}
