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

    /// Members of an object that is open.
    func write(to out: ByteBuffer) {
        out.member("sampled", samples.count)
        // Of how many scores: a second with many has as much more say.
        out.member("sampled_of", samples.reduce(0) { $0 + $1.weight }.rounded())
        out.member("effects")
        writeEffects(to: out)
        out.member("segments")
        writeSegments(to: out)
        out.member("newest")
        out.list(samples.suffix(Self.newest).reversed()) { score in
            out.object {
                out.member("user_id", utf8: score.user)
                out.member("time", score.time)
                out.member("event_type", score.eventType)
                out.member("uplift", score.uplift)
                out.member("std_error", score.standardError)
                out.member("ci_lower", score.lower)
                out.member("ci_upper", score.upper)
                out.member("decision", score.decision)
            }
        }
    }

    /// A histogram of the effects by decision, between the sample's 0.5 % and 99.5 % quantiles: how many of the stream's
    /// scores the sampled ones stand for.
    private func writeEffects(to out: ByteBuffer) {
        let values = samples.map(\.uplift).filter(\.isFinite).sorted()
        guard values.count >= 2, let first = values.first, let last = values.last, last > first else {
            return out.append("null")
        }
        let low = values[values.count / 200], high = values[values.count - 1 - values.count / 200]
        let width = max((high - low) / Double(Self.bins), 1e-12)
        var counts: [String: [Double]] = [:]
        for score in samples where score.uplift.isFinite {
            let bin = min(max(Int((score.uplift - low) / width), 0), Self.bins - 1)
            counts[score.decision, default: [Double](repeating: 0, count: Self.bins)][bin] += score.weight
        }
        out.object {
            out.member("low", low)
            out.member("width", width)
            let finite = samples.filter(\.uplift.isFinite)
            out.member(
                "mean", finite.reduce(0) { $0 + $1.weight * $1.uplift } / finite.reduce(0) { $0 + $1.weight })
            for decision in ["treat", "uncertain", "suppress"] {
                out.member(decision)
                out.list(counts[decision] ?? [Double](repeating: 0, count: Self.bins)) { out.append($0.rounded()) }
            }
        }
    }

    /// The mean effect of the people sampled, by the values of the features that the model splits on most.
    private func writeSegments(to out: ByteBuffer) {
        let known = people.filter { $0.features != nil && $0.uplift.isFinite }
        let importance = ModelRoute.importance(served.model)
        let order = importance.indices.sorted { importance[$0] > importance[$1] }
        let segments = order.lazy.map { feature in
            let values = known.compactMap { person in person.features.map { ($0[feature], person.uplift) } }
            return (feature, Self.groups(values.filter { !$0.0.isNaN }))
        }.filter { $0.1.count >= 2 }.prefix(known.count >= 20 ? Self.segments : 0)
        out.list(segments) { feature, groups in
            out.object {
                out.member("feature", served.model.featureNames[feature])
                out.member("groups")
                out.list(groups) { group in
                    out.object {
                        out.member("label", group.label)
                        out.member("people", group.effects.count)
                        out.member("uplift", group.effects.reduce(0, +) / Double(group.effects.count))
                    }
                }
            }
        }
    }

    private struct Group {
        var label: String
        var effects: [Double]
    }

    /// No and yes apart, and the values where they are few; else thirds by value.
    private static func groups(_ values: [(Float, Double)]) -> [Group] {
        let distinct = Set(values.map(\.0))
        if distinct == [0, 1] {
            return [("no", 0), ("yes", 1)].map { label, value in
                Group(label: label, effects: values.filter { $0.0 == value }.map(\.1))
            }
        }
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
