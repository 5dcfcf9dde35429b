import Features
import Foundation

/// What the features mean, word for word: keeps every event and computes each feature from scratch.
///
/// Reads the package specification alone and shares no code with the module.
struct Oracle {
    /// A field's value as JSON has it.
    enum Value: Hashable {
        case number(Double)
        case text(String)
        case bool(Bool)

        var number: Double? {
            switch self {
            case .number(let number): number
            case .bool(let truth): truth ? 1 : 0
            case .text: nil
            }
        }
    }

    struct Event {
        var user: String
        var type: String
        var time: Int64
        var id: String?
        var fields: [String: Value] = [:]
    }

    let specification: FeatureSpecification
    private(set) var users: [String: [Event]] = [:]
    private var ids: [String: [String]] = [:]
    private(set) var duplicates = 0
    private(set) var late = 0
    private(set) var count = 0

    init(_ specification: FeatureSpecification) { self.specification = specification }

    /// Takes an event in; false for a duplicate.
    mutating func apply(_ event: Event) -> Bool {
        if let id = event.id {
            var known = ids[event.user, default: []]
            if known.suffix(specification.deduplicationIDs).contains(id) {
                duplicates += 1
                return false
            }
            known.append(id)
            ids[event.user] = known
        }
        users[event.user, default: []].append(event)
        count += 1
        if isLate(event) { late += 1 }
        return true
    }

    mutating func remove(_ user: String) {
        users[user] = nil
        ids[user] = nil
    }

    private func clock(_ user: String) -> Int64 { users[user]?.map(\.time).max() ?? 0 }

    /// Whether an event in bucket `time / width` is in the window as of `clock`.
    private func covers(_ feature: FeatureSpecification.Feature, _ time: Int64, _ clock: Int64) -> Bool {
        let width = feature.bucket!.milliseconds
        return time / width > clock / width - feature.window!.milliseconds / width
    }

    private func isLate(_ event: Event) -> Bool {
        let windowed = specification.features.filter { $0.window != nil }
        let longest = windowed.map { $0.window! }.max()
        let reaching = windowed.filter { $0.window == longest }.min { $0.bucket! < $1.bucket! }
        return reaching.map { !covers($0, event.time, clock(event.user)) } ?? false
    }

    private func equal(_ value: Value, _ constant: FeatureSpecification.Constant) -> Bool {
        switch (value, constant) {
        case (.number(let a), .number(let b)): a == b
        case (.text(let a), .text(let b)): a == b
        case (.bool(let a), .bool(let b)): a == b
        default: false
        }
    }

    private func passes(_ feature: FeatureSpecification.Feature, _ event: Event) -> Bool {
        if let events = feature.events, !events.contains(event.type) { return false }
        guard let condition = feature.condition else { return true }
        return condition.groups.allSatisfy { group in
            group.contains { test in event.fields[test.field].map { equal($0, test.equals) } ?? false }
        }
    }

    /// The number an event brings to a feature, or nil.
    private func number(_ feature: FeatureSpecification.Feature, _ event: Event) -> Double? {
        guard passes(feature, event) else { return nil }
        let isAboutEvents = [.count, .recency, .decayedCount].contains(feature.aggregate)
        guard let field = feature.field else { return 1 }
        guard let value = event.fields[field] else { return nil }
        if let constant = feature.equals {
            let isEqual = equal(value, constant)
            return isAboutEvents ? (isEqual ? 1 : nil) : (isEqual ? 1 : 0)
        }
        return isAboutEvents ? 1 : value.number
    }

    /// - Parameter time: as of when; nil is the user's clock.
    func features(_ user: String, at time: Int64? = nil) -> [Float] {
        let clock = time ?? clock(user)
        var row = specification.features.map { value($0, user, clock) ?? $0.defaultValue ?? .nan }.map { Float($0) }
        for (i, feature) in specification.features.enumerated() where feature.aggregate == .ratio {
            let numerator = row[specification.names.firstIndex(of: feature.numerator!)!]
            let denominator = row[specification.names.firstIndex(of: feature.denominator!)!]
            let ratio = denominator == 0 ? Float.nan : numerator / denominator
            row[i] = ratio.isNaN ? Float(feature.defaultValue ?? .nan) : ratio
        }
        for (i, feature) in specification.features.enumerated() {
            guard let operands = feature.operands else { continue }
            let values = operands.map { operand -> Double in
                switch operand {
                case .number(let number): number
                case .feature(let name): Double(row[specification.names.firstIndex(of: name)!])
                }
            }
            let result = Float(arithmetic(feature, values))
            row[i] = result.isNaN ? Float(feature.defaultValue ?? .nan) : result
        }
        return row
    }

    private func arithmetic(_ feature: FeatureSpecification.Feature, _ values: [Double]) -> Double {
        switch feature.aggregate {
        case .add: return values.reduce(0, +)
        case .average: return values.reduce(0, +) / Double(values.count)
        case .multiply: return values.reduce(1, *)
        case .subtract: return values[0] - values[1]
        case .divide: return values[1] == 0 ? .nan : values[0] / values[1]
        case .scale:
            let share = (values[0] - feature.low!) / (feature.high! - feature.low!)
            return share.isNaN ? share : min(1, max(0, share))
        case .clip: return values[0].isNaN ? .nan : min(feature.high!, max(feature.low!, values[0]))
        case .choose: return Double(values.firstIndex(of: 1) ?? values.count)
        default:
            guard !values[0].isNaN, !values[1].isNaN else { return .nan }
            let holds =
                switch feature.comparison! {
                case .above: values[0] > values[1]
                case .atLeast: values[0] >= values[1]
                case .below: values[0] < values[1]
                case .atMost: values[0] <= values[1]
                case .equal: values[0] == values[1]
                }
            return holds ? 1 : 0
        }
    }

    /// A feature's value, or nil when there is none.
    private func value(_ feature: FeatureSpecification.Feature, _ user: String, _ clock: Int64) -> Double? {
        let events = users[user] ?? []
        switch feature.aggregate {
        case .ratio, .add, .subtract, .multiply, .divide, .average, .scale, .clip, .compare, .choose:
            return nil
        case .distinct:
            let inside = events.filter { passes(feature, $0) && covers(feature, $0.time, clock) }
            return Double(Set(inside.compactMap { $0.fields[feature.field!] }).count)
        case .last:
            // Stable: of equal times the one that arrived last.
            var best: (time: Int64, value: Double)?
            for event in events {
                if let number = number(feature, event), event.time >= best?.time ?? .min { best = (event.time, number) }
            }
            return best?.value
        case .recency:
            let times = events.filter { number(feature, $0) != nil }.map(\.time)
            return times.max().map { Double(clock - $0) / 1_000 }
        case .decayedCount, .decayedSum:
            let halfLife = Double(feature.halfLife!.milliseconds)
            return events.reduce(0.0) { sum, event in
                sum + (number(feature, event).map { $0 * exp2(-Double(clock - event.time) / halfLife) } ?? 0)
            }
        case .count, .sum, .mean, .min, .max:
            let inside = events.filter { feature.isLifetime || covers(feature, $0.time, clock) }
                .compactMap { number(feature, $0) }
            switch feature.aggregate {
            case .count: return Double(inside.count)
            case .sum: return inside.reduce(0, +)
            case .mean: return inside.isEmpty ? nil : inside.reduce(0, +) / Double(inside.count)
            case .min: return inside.min()
            default: return inside.max()
            }
        }
    }
}
