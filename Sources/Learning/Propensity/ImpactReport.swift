import Report
import Scoring
import Terminal

/// Impacts of several customers, with what the model says of each, if there is one.
package struct ImpactReport: Sendable {
    package struct Customer: Sendable {
        package var id: String
        package var impacts: [ImpactAnalysis.Impact]
        package var probability: Double?
        /// What the model's features add, on the report's scale; nil without a model.
        package var contributions: [(feature: String, value: String, contribution: Double)]?
        package var base: Double?

        package init(
            id: String, impacts: [ImpactAnalysis.Impact], probability: Double? = nil,
            contributions: [(feature: String, value: String, contribution: Double)]? = nil, base: Double? = nil
        ) {
            self.id = id
            self.impacts = impacts
            self.probability = probability
            self.contributions = contributions
            self.base = base
        }
    }

    package var customers: [Customer]
    package var outcome: String?
    /// What the contributions add up to: `the log odds`, `the probability`.
    package var scale: String
    package var time: String

    package init(customers: [Customer], outcome: String?, scale: String = "", time: String) {
        self.customers = customers
        self.outcome = outcome
        self.scale = scale
        self.time = time
    }

    private static func signed(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        let size = abs(value)
        return Figure.fixed(value, size >= 10 ? 2 : size >= 0.1 ? 3 : 4, sign: true)
    }

    package var text: String {
        var out = ""
        for customer in customers {
            out += "customer \(customer.id)"
            if let p = customer.probability {
                out +=
                    ": probability of '\(outcome ?? "the outcome")' \(Figure.fixed(p, 4)), \(PredictAPI.confidence(p))"
            }
            out += "\n"
            var table = Table(.text("parameter"), .number("value"), .number("baseline"), .number("impact"), .text(""))
            for impact in customer.impacts {
                table.add(
                    impact.name, impact.value, impact.baseline, Self.signed(impact.impact), impact.direction.arrow)
            }
            out += table.text()
            if let contributions = customer.contributions, let base = customer.base {
                var real = Table(
                    .text("feature of the model"), .number("value"), .number("adds to \(scale)"), .text(""))
                for entry in contributions.sorted(by: { abs($0.contribution) > abs($1.contribution) }) {
                    real.add(
                        entry.feature, entry.value, Self.signed(entry.contribution),
                        ImpactAnalysis.Direction(entry.contribution).arrow)
                }
                out += "\nfrom the model, starting at \(Self.signed(base)):\n" + real.text()
            }
            out += "\n"
        }
        return out
    }

    package func json(_ customer: Customer) -> JSONOutput {
        var members: [(name: String, value: JSONOutput)] = [
            (name: "customer_id", value: .text(customer.id)), (name: "time", value: .text(time)),
            (
                name: "impacts",
                value: ImpactAnalysis.json(customer.impacts)
            ),
        ]
        if let p = customer.probability {
            members.append((name: "probability", value: .number(p)))
            members.append((name: "confidence", value: .text(PredictAPI.confidence(p))))
        }
        if let contributions = customer.contributions, let base = customer.base {
            members.append((name: "scale", value: .text(scale)))
            members.append((name: "base", value: .number(base)))
            members.append(
                (
                    name: "contributions",
                    value: .array(
                        contributions.map {
                            [
                                "feature": .text($0.feature), "value": .text($0.value),
                                "contribution": .number($0.contribution),
                            ]
                        })
                ))
        }
        return .object(members)
    }

    package func html(facts: [(name: String, value: String?)]) -> String {
        let sections = customers.prefix(200).map { customer -> String in
            let rows = customer.impacts.map {
                [
                    $0.name, $0.value, $0.baseline, Self.signed($0.impact),
                    "\($0.direction.arrow) \($0.direction.rawValue)",
                ]
            }
            var content = HTML.table(
                "Impact against the baseline",
                [("parameter", false), ("value", true), ("baseline", true), ("impact", true), ("direction", false)],
                rows)
            if let contributions = customer.contributions, let base = customer.base {
                content += HTML.table(
                    "What each feature adds to \(scale), from \(Self.signed(base))",
                    [("feature", false), ("value", true), ("adds", true), ("direction", false)],
                    contributions.sorted { abs($0.contribution) > abs($1.contribution) }.map {
                        let direction = ImpactAnalysis.Direction($0.contribution)
                        return [
                            $0.feature, $0.value, Self.signed($0.contribution),
                            "\(direction.arrow) \(direction.rawValue)",
                        ]
                    })
            }
            let result = customer.probability.map { ": \(Figure.share($0)) (\(PredictAPI.confidence($0)))" } ?? ""
            return ReportPage.section("Customer \(customer.id)\(result)", content)
        }
        return ReportPage.document(
            title: "Impact analysis",
            verdict: "What moves each customer away from the baseline: (value − baseline) × weight, ▲ for the better.",
            subtitle:
                "\(customers.count) customer\(customers.count == 1 ? "" : "s")\(outcome.map { " · outcome “\($0)”" } ?? "") · \(time)",
            tiles: "",
            body: sections.joined() + ReportPage.provenance(facts))
    }
}
