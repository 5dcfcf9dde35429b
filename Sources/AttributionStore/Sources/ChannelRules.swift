import Attribution
import Base
import JSON

/// Rules that name the channel of a session from its campaign, source and medium; the first that fits counts.
///
/// ```json
/// [{"source":"google","medium":"cpc","campaign":"brand*","channel":"Paid Search Brand"},
///  {"medium":"email","channel":"Newsletter & Email"}, {"channel":"Other"}]
/// ```
/// A pattern matches without regard to case; `*` stands for anything, an absent member for any value.
package struct ChannelRules: Sendable {
    private struct Rule: Sendable {
        var campaign: String?
        var source: String?
        var medium: String?
        var channel: String
    }

    private var rules: [Rule] = []

    package init() {}
    package var isEmpty: Bool { rules.isEmpty }

    package init(json: JSONValue, name: String) throws(ImpactError) {
        func fail(_ what: String) -> ImpactError {
            ImpactError(.badInput, code: "channel_rules", "\(name): \(what)")
        }
        guard let list = json.array else { throw fail("channel rules are an array of objects") }
        for (index, item) in list.enumerated() {
            guard let members = item.members else { throw fail("rule \(index + 1) is \(item.kindName), not an object") }
            var rule = Rule(channel: "")
            for member in members {
                guard let text = member.value.string else {
                    throw fail("rule \(index + 1): '\(member.name)' must be a text")
                }
                switch member.name {
                case "campaign": rule.campaign = text.lowercased()
                case "source": rule.source = text.lowercased()
                case "medium": rule.medium = text.lowercased()
                case "channel": rule.channel = text
                default:
                    throw fail(
                        "rule \(index + 1) has a member '\(member.name)'; known: campaign, source, medium, channel")
                }
            }
            guard !rule.channel.isEmpty else { throw fail("rule \(index + 1) names no channel") }
            rules.append(rule)
        }
    }

    /// The channel of a session; nil when no rule fits.
    package func channel(campaign: String?, source: String?, medium: String?) -> String? {
        rules.first {
            Self.fits($0.campaign, campaign) && Self.fits($0.source, source) && Self.fits($0.medium, medium)
        }?.channel
    }

    private static func fits(_ pattern: String?, _ value: String?) -> Bool {
        guard let pattern else { return true }
        return matches(Array(pattern.utf8)[...], Array((value ?? "").lowercased().utf8)[...])
    }

    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        // Greedy with one place to come back to: linear in practice, never exponential.
        var (p, t) = (pattern.startIndex, text.startIndex)
        var star: (pattern: Int, text: Int)?
        while t < text.endIndex {
            if p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") {
                star = (p + 1, t)
                p += 1
            } else if p < pattern.endIndex, pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let back = star {
                star = (back.pattern, back.text + 1)
                (p, t) = (back.pattern, back.text + 1)
            } else {
                return false
            }
        }
        while p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") { p += 1 }
        return p == pattern.endIndex
    }
}
