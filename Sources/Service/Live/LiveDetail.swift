import Base
import Foundation
import JSON
import Scoring

/// What the samples say: the distribution of effects, the effect by segment, the newest scores.
struct LiveDetail {
    let served: ServedModel
    let samples: [SampledScore]
    let people: [SampledScore]

    private static let bins = 41
    private static let segments = 4
    private static let newest = 12

    func write(to out: ByteBuffer) {
        out.append("\"sampled\":")
        out.append(Int64(samples.count))
        out.append(",\"effects\":")
        writeEffects(to: out)
        out.append(",\"segments\":[")
        writeSegments(to: out)
        out.append("],\"newest\":[")
        for (index, score) in samples.suffix(Self.newest).reversed().enumerated() {
            if index > 0 { out.append(",") }
            write(score, to: out)
        }
        out.append("]")
    }

    private func write(_ score: SampledScore, to out: ByteBuffer) {
        out.append("{\"user_id\":")
        out.appendJSONString(String(decoding: score.user, as: UTF8.self))
        out.append(",\"time\":")
        out.append(score.time)
        out.append(",\"event_type\":")
        out.appendJSONString(score.eventType)
        for (name, value) in [
            ("uplift", score.uplift), ("std_error", score.standardError), ("ci_lower", score.lower),
            ("ci_upper", score.upper),
        ] {
            out.append(",")
            out.appendJSONString(name)
            out.append(":")
            out.append(value)
        }
        out.append(",\"decision\":")
        out.appendJSONString(score.decision)
        out.append("}")
    }

    /// A histogram of the sampled effects by decision, between their 0.5 % and 99.5 % quantiles.
    private func writeEffects(to out: ByteBuffer) {
        let values = samples.map(\.uplift).filter(\.isFinite).sorted()
        guard values.count >= 2, let first = values.first, let last = values.last, last > first else {
            return out.append("null")
        }
        let low = values[values.count / 200], high = values[values.count - 1 - values.count / 200]
        let width = max((high - low) / Double(Self.bins), 1e-12)
        var counts: [String: [Int]] = [:]
        for score in samples where score.uplift.isFinite {
            let bin = min(max(Int((score.uplift - low) / width), 0), Self.bins - 1)
            counts[score.decision, default: [Int](repeating: 0, count: Self.bins)][bin] += 1
        }
        out.append("{\"low\":")
        out.append(low)
        out.append(",\"width\":")
        out.append(width)
        out.append(",\"mean\":")
        out.append(values.reduce(0, +) / Double(values.count))
        for decision in ["treat", "uncertain", "suppress"] {
            out.append(",")
            out.appendJSONString(decision)
            out.append(":[")
            for (index, count) in (counts[decision] ?? [Int](repeating: 0, count: Self.bins)).enumerated() {
                if index > 0 { out.append(",") }
                out.append(Int64(count))
            }
            out.append("]")
        }
        out.append("}")
    }

    /// The mean effect of the people sampled, by the values of the features that the model splits on most.
    private func writeSegments(to out: ByteBuffer) {
        let known = people.filter { $0.features != nil && $0.uplift.isFinite }
        guard known.count >= 20 else { return }
        let importance = ModelRoute.importance(served.model)
        let order = importance.indices.sorted { importance[$0] > importance[$1] }
        var written = 0
        for feature in order where written < Self.segments {
            let values = known.compactMap { person in person.features.map { ($0[feature], person.uplift) } }
                .filter { !$0.0.isNaN }
            let groups = Self.groups(values)
            guard groups.count >= 2 else { continue }
            if written > 0 { out.append(",") }
            written += 1
            out.append("{\"feature\":")
            out.appendJSONString(served.model.featureNames[feature])
            out.append(",\"groups\":[")
            for (index, group) in groups.enumerated() {
                if index > 0 { out.append(",") }
                out.append("{\"label\":")
                out.appendJSONString(group.label)
                out.append(",\"people\":")
                out.append(Int64(group.effects.count))
                let mean = group.effects.reduce(0, +) / Double(group.effects.count)
                out.append(",\"uplift\":")
                out.append(mean)
                out.append("}")
            }
            out.append("]}")
        }
    }

    private struct Group {
        var label: String
        var effects: [Double]
    }

    /// 0 and 1 apart; else thirds by value.
    private static func groups(_ values: [(Float, Double)]) -> [Group] {
        let distinct = Set(values.map(\.0))
        if distinct.count <= 4 {
            return distinct.sorted().map { value in
                Group(label: "= \(short(value))", effects: values.filter { $0.0 == value }.map(\.1))
            }
        }
        let sorted = values.map(\.0).sorted()
        let cuts = [sorted[sorted.count / 3], sorted[2 * sorted.count / 3]]
        let parts = [
            Group(label: "< \(short(cuts[0]))", effects: values.filter { $0.0 < cuts[0] }.map(\.1)),
            Group(
                label: "\(short(cuts[0])) – \(short(cuts[1]))",
                effects: values.filter { $0.0 >= cuts[0] && $0.0 < cuts[1] }.map(\.1)),
            Group(label: "≥ \(short(cuts[1]))", effects: values.filter { $0.0 >= cuts[1] }.map(\.1)),
        ]
        return parts.filter { !$0.effects.isEmpty }
    }

    private static func short(_ value: Float) -> String {
        if value == value.rounded(), abs(value) < 1e7 { return "\(Int(value))" }
        let digits = abs(value) >= 100 ? 0 : abs(value) >= 1 ? 2 : 4
        let unit = Float(pow(10, Double(digits)))
        let rounded = (value * unit).rounded() / unit
        return digits == 0 ? "\(Int(rounded))" : "\(rounded)"
    }
}
