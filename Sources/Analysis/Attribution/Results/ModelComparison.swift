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
        package var isDivided: Bool { !isOwnOnly }

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
        var why = reasons(channel, low.0, high.0)
        if let row = causal.first(where: { Int($0.channel) == channel }), row.scored > 0,
            let last = credits.first(where: { $0.0 == .last })?.1
        {
            // Only where the whole interval says so.
            if row.incremental + 1.96 * row.standardError < last / 2 {
                why.append("most who came through it would have converted anyway")
            } else if row.incremental - 1.96 * row.standardError > last {
                why.append("it causes conversions that others close")
            }
        }
        let models = "\(low.0.rawValue) to \(high.0.rawValue)"
        return why.isEmpty ? models : "\(models): \(why.joined(separator: "; "))"
    }

    /// What the two models that differ most about a channel look at.
    private func reasons(_ channel: Int, _ low: ModelKind, _ high: ModelKind) -> [String] {
        func credit(_ kind: ModelKind) -> Double? { columns.first { $0.kind == kind }?.credit(channel) }
        let late: Set<ModelKind> = [.last, .lastNonDirect, .decay]
        if low == .lastNonDirect, credit(.lastNonDirect) == 0 {
            return ["it counts as direct, which this model passes over"]
        }
        if let first = credit(.first), let last = credit(.last) {
            if first > 1.1 * last, high == .first || late.contains(low) {
                return ["it opens journeys more often than it closes them"]
            }
            if last > 1.1 * first, low == .first || late.contains(high) {
                return ["it closes journeys more often than it opens them"]
            }
        }
        if low == .causal { return ["its sessions have smaller effects than those beside them"] }
        if high == .causal { return ["its sessions have larger effects than those beside them"] }
        if low == .markov || low == .dataDriven { return ["journeys convert nearly as often without it"] }
        if high == .markov || high == .dataDriven { return ["journeys convert less often without it"] }
        if low == .first || late.contains(low) { return ["it stands between other channels"] }
        if low == .shapley || high == .shapley {
            return ["Shapley counts a channel once, however many sessions it has"]
        }
        return []
    }
}
