import Report
import Statistics

/// The off-policy report as one page that needs nothing but itself.
extension OffPolicyReport {
    /// A complete HTML document.
    package var html: String {
        ReportPage.document(
            title: provenance.title ?? "Value of the policy “\(value.policy)”",
            verdict: ReportPage.verdict(verdict, value.gainOverLog.interval), subtitle: subtitle, tiles: tiles,
            body: """
                \(ReportPage.notes(notes))
                \(ReportPage.section("What the policy would have earned, and how far the log can tell", charts))
                \(ReportPage.section("Every number", tables))
                \(provenanceSection)
                """)
    }

    private var subtitle: String {
        var parts = [
            "\(Figure.count(Double(value.decisions))) decisions of \(reading.log.actionCount) actions"
        ]
        if reading.strata.count > 1 { parts.append("\(reading.strata.count) strata") }
        parts.append("reward “\(provenance.columns.reward)”")
        parts.append("\(Figure.share(level)) intervals")
        return parts.joined(separator: " · ")
    }

    private var notes: [String] {
        value.warnings
            + (reading.rowsMissing > 0 ? ["\(reading.rowsMissing) rows with missing values are left out"] : [])
    }

    private var tiles: String {
        let robust = value.doublyRobust
        let gain = value.gainOverLog
        return ReportPage.tiles([
            ("Value of the policy", number(robust.value), range(robust)),
            ("Value of the log itself", number(value.logged.value), range(value.logged)),
            ("Gain over the log", number(gain.value, sign: true), range(gain, sign: true)),
            (
                "Effective decisions", Figure.count(value.effectiveSampleSize.rounded()),
                "\(Figure.share(value.effectiveSampleSize / Double(value.decisions))) of the log"
            ),
            (
                "Largest weight", Figure.fixed(value.largestWeight, 1),
                "mean \(Figure.fixed(value.meanWeight, 3)), 1 when all is right"
            ),
            ("Never taken", Figure.share(value.unmatchedShare), "of the decisions, by the policy"),
        ])
    }

    private func range(_ estimate: ValueEstimate, sign: Bool = false) -> String {
        estimate.interval.map { "\(number($0.lower, sign: sign)) to \(number($0.upper, sign: sign))" } ?? "no interval"
    }

    // MARK: Charts

    private var charts: String { "<div class=\"charts\">\n\(estimateChart)\n\(overlapChart)\n</div>" }

    private var estimateChart: String {
        let shown = estimates
        let ends = shown.flatMap { [$0.estimate.value, $0.estimate.interval?.lower, $0.estimate.interval?.upper] }
            .compactMap { $0 }
        let low = ends.min() ?? 0
        let high = ends.max() ?? 1
        let room = high > low ? (high - low) * 0.08 : 1
        var chart = SVGChart(
            id: "estimates", title: "Mean reward per decision, by estimator",
            description: shown.map { "\($0.label): \(number($0.estimate.value)), \(range($0.estimate))" }
                .joined(separator: "; "), x: 0.5...(Double(shown.count) + 0.5), y: (low - room)...(high + room),
            leftMargin: 58)
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, ReportPage.tick($0)) })
        let names = ["logged": "log", "ips": "IPS", "snips": "SNIPS", "doubly_robust": "DR", "direct": "direct"]
        chart.horizontalAxis(
            shown.enumerated().map { (Double($0 + 1), names[$1.name] ?? $1.name) }, title: "estimator")
        chart.line([(0.5, value.logged.value), (Double(shown.count) + 0.5, value.logged.value)], "random")
        for (index, (_, label, estimate)) in shown.enumerated() {
            if let interval = estimate.interval { chart.whisker(Double(index + 1), interval) }
            chart.dot(
                Double(index + 1), estimate.value,
                tip: "\(label): \(number(estimate.value)), \(range(estimate))")
        }
        return ReportPage.figure(
            "Mean reward per decision",
            ReportPage.legend([
                ("dot", "estimate"), ("whisker", "\(Figure.share(level)) interval"), ("random", "the log itself"),
            ]), chart.element,
            "Each point says what the policy would have earned per decision. The further it "
                + "stands from the dotted line, the more it differs from the log; the sentence above says whether that is shown. Where the estimators agree, neither "
                + "the propensities nor the reward model decide the answer; where they do not, trust none before you know "
                + "why. Direct has no whisker: it is as good as its reward model, whose error no interval of ours knows."
        )
    }

    private var overlapChart: String {
        let bins = value.weightBins
        let count = Double(max(1, bins.count))
        let highest = bins.flatMap { [$0.decisions, $0.weight] }.max() ?? 1
        var chart = SVGChart(
            id: "overlap", title: "Importance weights: share of decisions and share of all weight",
            description: bins.map {
                "weight \(Self.name($0)): \(Figure.share($0.decisions)) of decisions, \(Figure.share($0.weight)) of weight"
            }.joined(separator: "; "), x: 0.5...(count + 0.5), y: 0...(highest * 1.06))
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, Figure.share($0)) })
        chart.horizontalAxis(
            bins.enumerated().map { (Double($0 + 1), $1.upper.isFinite ? ReportPage.tick($1.upper) : "more") },
            title: "importance weight, up to")
        for (index, bin) in bins.enumerated() {
            let at = Double(index + 1)
            chart.bar(
                at - 0.38, at - 0.02, bin.decisions, "plain",
                tip: "weight \(Self.name(bin)): \(Figure.share(bin.decisions)) of decisions")
            chart.bar(
                at + 0.02, at + 0.38, bin.weight, "up",
                tip: "weight \(Self.name(bin)): \(Figure.share(bin.weight)) of all weight")
        }
        return ReportPage.figure(
            "Overlap of policy and log",
            ReportPage.legend([("plain", "share of the decisions"), ("up", "share of all weight")]), chart.element,
            "A decision counts by its importance weight: how much more often the policy takes that action than the log did. "
                + "Bars of the same height about 1 are good overlap; when few decisions (grey) far to the right carry most "
                + "weight (green), the values rest on those few, and the effective decisions above are few too.")
    }

    private static func name(_ bin: ImportanceBin) -> String {
        if bin.upper == 0 { return "0" }
        return bin.upper.isFinite
            ? "\(ReportPage.tick(bin.lower)) to \(ReportPage.tick(bin.upper))" : "above \(ReportPage.tick(bin.lower))"
    }

    // MARK: Numbers

    private var tables: String {
        let level = "\(Figure.share(level)) interval"
        let values = HTML.table(
            "Mean reward per decision",
            [("estimator", false), ("value", true), ("std error", true), (level, true)],
            estimates.map { [$0.label, number($0.estimate.value), error($0.estimate), range($0.estimate)] }
                + [
                    [
                        "doubly robust less the log", number(value.gainOverLog.value, sign: true),
                        error(value.gainOverLog), range(value.gainOverLog, sign: true),
                    ]
                ])
        let overlap = HTML.table(
            "Overlap", [("number", false), ("value", true)],
            [
                ["decisions", Figure.count(Double(value.decisions))],
                ["effective decisions", Figure.count(value.effectiveSampleSize.rounded())],
                ["mean importance weight", Figure.fixed(value.meanWeight, 6)],
                ["largest importance weight", Figure.fixed(value.largestWeight, 3)],
                ["decisions that the policy never takes", Figure.share(value.unmatchedShare)],
            ])
        let weights = HTML.table(
            "Importance weights", [("weight", false), ("share of the decisions", true), ("share of all weight", true)],
            value.weightBins.map { [Self.name($0), Figure.share($0.decisions), Figure.share($0.weight)] })
        return """
            <p class="muted">IPS weights each reward by how much more often the policy takes its action; SNIPS divides by \
            the weights’ sum, which is steadier; doubly robust corrects a reward model by the weighted misses, and is right \
            when either propensities or model are; direct is the reward model alone.</p>
            \(values)
            \(overlap)
            \(weights)
            """
    }

    private func error(_ estimate: ValueEstimate) -> String {
        estimate.standardError.map { number($0, more: 2) } ?? "–"
    }

    private var provenanceSection: String {
        let columns = provenance.columns
        return ReportPage.provenance([
            ("Data", reading.source), ("SHA-256 of the data", provenance.dataSHA256), ("Policy", value.policy),
            ("SHA-256 of the policy’s log", provenance.policySHA256), ("Action", columns.action),
            ("Reward", columns.reward), ("Propensity", columns.propensity), ("Stratum", columns.stratum),
            ("Weight", columns.weight), ("Rows", Figure.count(Double(value.decisions))),
            (
                "Reward model",
                "mean reward of an action in a stratum, drawn towards the action’s and the log’s; cross-fitted in 5 parts, "
                    + "seed \(provenance.seed)"
            ),
            ("Clusters", reading.log.clusters.map { Figure.count(Double($0.count)) }),
            ("Intervals", "\(Figure.share(level)), Student’s t; self-normalised IPS by the delta method"),
            ("Command", provenance.command), ("Made", provenance.time),
        ])
    }
}
