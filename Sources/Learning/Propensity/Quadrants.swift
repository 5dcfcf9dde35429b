import Base
import Report
import Statistics
import Terminal

/// Propensity without an ad × uplift of the ad: who should get the budget.
///
/// | | would buy anyway | would not |
/// |---|---|---|
/// | the ad helps | sure things, helped a little | **persuadables** |
/// | it does not | sure things | lost causes |
/// | it hurts | sleeping dogs | sleeping dogs |
package struct Quadrants: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case persuadable, sureThing = "sure_thing", lostCause = "lost_cause", sleepingDog = "sleeping_dog"

        package var title: String {
            switch self {
            case .persuadable: "persuadables"
            case .sureThing: "sure things"
            case .lostCause: "lost causes"
            case .sleepingDog: "sleeping dogs"
            }
        }

        /// What to do with them, and why.
        package var advice: String {
            switch self {
            case .persuadable: "buy because of the ad: every sale here is one that the budget made"
            case .sureThing: "buy anyway: an ad pays for a sale that was made already"
            case .lostCause: "buy neither way: an ad changes nothing"
            case .sleepingDog: "buy less because of the ad: leave them alone"
            }
        }
    }

    /// What is known of one group.
    package struct Group: Sendable {
        package var kind: Kind
        package var count = 0
        package var propensity = 0.0
        package var uplift = 0.0
        /// Σ uplift: sales that an ad to all of them would add.
        package var gained: Double { uplift * Double(count) }
    }

    package var groups: [Group]
    package var total: Int
    /// Customers without one of the two numbers.
    package var unknown = 0
    /// The probability from which a customer buys anyway, and the uplift above which an ad helps: between −`upliftCut` and
    /// it an ad does nothing. Not negative.
    package var propensityCut: Double
    package var upliftCut: Double
    /// Whether an uplift counts as none when its interval includes 0.
    package var usesIntervals: Bool
    /// A sample of customers, evenly over the rows.
    package var points: [(propensity: Double, uplift: Double, kind: Kind)]

    /// - Parameters:
    ///   - propensity: probability of the outcome without an ad, one a customer.
    ///   - uplift: what an ad adds to it.
    ///   - isDoubtful: whether the interval of a customer's uplift includes 0, so that the ad counts as doing nothing; nil: not
    ///     known.
    package init(
        propensity: [Double], uplift: [Double], isDoubtful: [Bool]? = nil, propensityCut: Double = 0.5,
        upliftCut: Double = 0
    ) {
        usesIntervals = isDoubtful != nil
        (self.propensityCut, self.upliftCut) = (propensityCut, upliftCut)
        var groups = Dictionary(uniqueKeysWithValues: Kind.allCases.map { ($0, Group(kind: $0)) })
        points = []
        total = 0
        let step = max(1, propensity.count / 1500)
        for (index, (p, u)) in zip(propensity, uplift).enumerated() {
            guard p.isFinite, u.isFinite else {
                unknown += 1
                continue
            }
            let kind = Self.kind(
                propensity: p, uplift: isDoubtful?[index] == true ? 0 : u, propensityCut: propensityCut,
                upliftCut: upliftCut)
            groups[kind]?.count += 1
            groups[kind]?.propensity += p
            groups[kind]?.uplift += u
            total += 1
            if index % step == 0 { points.append((p, u, kind)) }
        }
        self.groups = Kind.allCases.map { kind in
            var group = groups[kind] ?? Group(kind: kind)
            if group.count > 0 {
                group.propensity /= Double(group.count)
                group.uplift /= Double(group.count)
            }
            return group
        }
    }

    package static func kind(propensity: Double, uplift: Double, propensityCut: Double, upliftCut: Double) -> Kind {
        if uplift < -upliftCut { return .sleepingDog }
        if propensity >= propensityCut { return .sureThing }
        return uplift > upliftCut ? .persuadable : .lostCause
    }

    /// Why the budget goes to the first.
    package var verdict: String {
        let persuadables = groups[0]
        guard persuadables.count > 0, total > 0 else {
            return "No customer is both unlikely to buy and moved by the ad: an ad has nobody to persuade here."
        }
        let (one, anyway) = (persuadables.count == 1, groups[1].count)
        return
            "An ad to the \(one ? "one persuadable" : Figure.count(Double(persuadables.count)) + " persuadables") adds "
            + "\(Figure.fixed(persuadables.uplift * 100, 2)) sales per hundred ads"
            + (anyway == 0
                ? "; nobody buys anyway."
                : ". An ad to the \(anyway == 1 ? "one who buys" : Figure.count(Double(anyway)) + " who buy") anyway adds "
                    + "\(Figure.fixed(groups[1].uplift * 100, 2)), though a propensity model puts them first.")
    }

    /// What counts as an ad that helps.
    private var rule: String {
        usesIntervals
            ? "an ad does nothing where the 95 % interval of its uplift includes 0"
            : "an ad helps above \(Figure.fixed(upliftCut * 100, 2)) pp"
                + (upliftCut == 0 ? ", however little (no intervals are known: --effect says from where on)" : "")
    }

    package var text: String {
        var table = Table(
            .text("quadrant"), .number("customers"), .number("share"), .number("propensity"), .number("uplift, pp"),
            .number("sales gained"), .text("what they do"))
        for group in groups {
            table.add(
                group.kind.title, Figure.count(Double(group.count)),
                Figure.share(Double(group.count) / Double(max(1, total))),
                Figure.fixed(group.propensity, 3), Figure.fixed(group.uplift * 100, 2, sign: true),
                Figure.fixed(group.gained, 1), group.kind.advice)
        }
        let rest = unknown > 0 ? "\n\(Figure.count(Double(unknown))) rows have no estimate and are left out." : ""
        let words = "Buys anyway from a propensity of \(Figure.fixed(propensityCut, 2)); \(rule).\n"
        return table.text() + rest + "\n" + words + verdict + "\n"
    }

    package var json: JSONOutput {
        [
            "total": .integer(total), "unknown": .integer(unknown), "propensity_cut": .number(propensityCut),
            "uplift_cut": .number(upliftCut), "uses_intervals": .bool(usesIntervals),
            "quadrants": .array(
                groups.map { group in
                    [
                        "quadrant": .text(group.kind.rawValue), "customers": .integer(group.count),
                        "propensity": .number(group.propensity), "uplift": .number(group.uplift),
                        "gained": .number(group.gained),
                    ]
                }), "verdict": .text(verdict),
        ]
    }

    package func html(facts: [(name: String, value: String?)]) -> String {
        let tiles = groups.map { group in
            (
                name: group.kind.title, value: Figure.count(Double(group.count)),
                below: "\(Figure.fixed(group.uplift * 100, 2, sign: true)) pp uplift at propensity "
                    + Figure.fixed(group.propensity, 2)
            )
        }
        let table = HTML.table(
            "The four quadrants",
            [
                ("quadrant", false), ("customers", true), ("share", true), ("mean propensity", true),
                ("mean uplift, pp", true), ("sales gained by an ad to all", true),
            ],
            groups.map { group in
                [
                    group.kind.title, Figure.count(Double(group.count)),
                    Figure.share(Double(group.count) / Double(max(1, total))), Figure.fixed(group.propensity, 3),
                    Figure.fixed(group.uplift * 100, 2, sign: true), Figure.fixed(group.gained, 1),
                ]
            })
        let advice =
            "<ul class=\"notes\">\n"
            + groups.map { "<li>\(HTML.escape("\($0.kind.title) \($0.kind.advice)"))</li>\n" }.joined() + "</ul>"
        return ReportPage.document(
            title: "Four quadrants", verdict: HTML.escape(verdict),
            subtitle:
                "\(Figure.count(Double(total))) customers\(unknown > 0 ? ", \(unknown) more without an estimate" : "") · would buy anyway from a propensity of "
                + "\(Figure.fixed(propensityCut, 2)) · \(rule)",
            tiles: ReportPage.tiles(tiles),
            body: ReportPage.section(
                "Likelihood to buy is not the effect of an ad",
                "<div class=\"charts\">\n\(chart)\n</div>\n" + table + advice)
                + ReportPage.provenance(facts))
    }

    private var chart: String {
        let uplifts = points.map(\.uplift)
        let range = ReportPage.padded(uplifts + [0, upliftCut])
        var chart = SVGChart(
            id: "quadrants", title: "Propensity and uplift of customers",
            description: groups.map { "\($0.kind.title): \($0.count)" }.joined(separator: ", "), x: 0...1, y: range,
            leftMargin: 68)
        let ticks = SVGChart.ticks(range, 5)
        let decimals = ticks.allSatisfy { abs($0 * 100 - ($0 * 100).rounded()) < 1e-6 } ? 0 : 1
        chart.verticalAxis(ticks.map { ($0, Figure.fixed($0 * 100, decimals, sign: true) + " pp") })
        chart.horizontalAxis(
            [0, 0.2, 0.4, 0.6, 0.8, 1].map { ($0, Figure.share($0)) }, title: "propensity to buy without an ad")
        chart.line([(propensityCut, range.lowerBound), (propensityCut, range.upperBound)], "random")
        chart.line([(0, upliftCut), (1, upliftCut)], "random")
        for point in points {
            chart.point(
                point.propensity, point.uplift,
                style: point.kind == .persuadable ? "up" : point.kind == .sleepingDog ? "down" : "plain")
        }
        chart.note(0.01, range.upperBound, "persuadables", anchor: "start", style: "tick", dy: 14)
        chart.note(0.99, range.upperBound, "sure things", anchor: "end", style: "tick", dy: 14)
        chart.note(0.01, range.lowerBound, "sleeping dogs", anchor: "start", style: "tick", dy: -6)
        return ReportPage.figure(
            "Customers by propensity and uplift",
            ReportPage.legend([
                ("up", "persuadables"), ("plain", "sure things, lost causes"), ("down", "sleeping dogs"),
            ]),
            chart.element,
            (points.count < total
                ? "\(Figure.count(Double(points.count))) of the \(Figure.count(Double(total))) customers, evenly over the rows. "
                : "Each mark is a customer. ")
                + "A propensity model ranks from right to left; the budget earns most at the top left, "
                + "where people do not buy by themselves and the ad changes that.")
    }
}
