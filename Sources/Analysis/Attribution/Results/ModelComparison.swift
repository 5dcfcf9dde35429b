/// Several models over the same journeys, side by side.
package struct ModelComparison: Sendable {
    package struct Column: Sendable {
        package var kind: ModelKind
        /// Credit by channel, exact.
        package var units: [Int128]
        /// Conversions by channel as the method itself has them, where it states them.
        package var ownTotals: [Double]?
        /// Whether journeys were not divided, and `units` are the method's own totals.
        package var isOwnOnly = false

        package init(kind: ModelKind, units: [Int128], ownTotals: [Double]?, isOwnOnly: Bool = false) {
            self.isOwnOnly = isOwnOnly
            self.kind = kind
            self.units = units
            self.ownTotals = ownTotals
        }

        package func credit(_ channel: Int) -> Double { channel < units.count ? Credit.value(units[channel]) : 0 }
    }

    package var channels: [String]
    package var columns: [Column] = []
    package var causal: [CausalTotals.Row] = []
    package var conversions = 0.0
    /// Models that divided journeys.
    package var divided: [Column] { columns.filter { !$0.isOwnOnly } }
    package var remarks: [String] = []

    package init(channels: [String]) { self.channels = channels }

    /// The channels that any session belongs to, those with the most credit in the first model first.
    package var order: [Int] {
        let used = channels.indices.filter { channel in
            columns.contains { $0.credit(channel) > 0 } || causal.contains { Int($0.channel) == channel }
        }
        return used.sorted {
            let (a, b) = (columns.first?.credit($0) ?? 0, columns.first?.credit($1) ?? 0)
            return a != b ? a > b : channels[$0] < channels[$1]
        }
    }

    /// Where the models disagree about a channel, and why; nil when they agree within a tenth of its credit.
    package func disagreement(_ channel: Int) -> String? {
        let credits = columns.map { ($0.kind, $0.credit(channel)) }
        guard let low = credits.min(by: { $0.1 < $1.1 }), let high = credits.max(by: { $0.1 < $1.1 }),
            high.1 - low.1 > max(0.1 * high.1, 0.005 * conversions)
        else { return nil }
        func credit(_ kind: ModelKind) -> Double? { credits.first { $0.0 == kind }?.1 }
        var why = ""
        if let first = credit(.first), let last = credit(.last) {
            if first > 1.1 * last {
                why = "it opens journeys more often than it closes them"
            } else if last > 1.1 * first {
                why = "it closes journeys more often than it opens them"
            }
        }
        if let row = causal.first(where: { Int($0.channel) == channel }), row.scored > 0, let last = credit(.last) {
            let upper = row.incremental + 1.96 * row.standardError
            if upper < last {
                why += why.isEmpty ? "" : "; "
                why += "most who came through it would have converted anyway"
            } else if row.incremental - 1.96 * row.standardError > last {
                why += why.isEmpty ? "" : "; "
                why += "it causes conversions that others close"
            }
        }
        if why.isEmpty { why = "it stands between other channels" }
        return "\(low.0.rawValue) \(low.0 == high.0 ? "" : "to \(high.0.rawValue)"): \(why)"
    }
}
