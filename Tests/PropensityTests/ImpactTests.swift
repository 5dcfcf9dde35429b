import Base
import Foundation
import Propensity
import Testing

@Suite struct ImpactTests {
    /// The documented example: values, baselines and weights, and the impacts they must give.
    @Test func documentedExample() throws {
        let json = """
            {"features":[
              {"name":"total_orders","baseline":5,"weight":0.15},
              {"name":"total_spent","baseline":250,"weight":0.20},
              {"name":"recent_purchases","baseline":0,"weight":0.25},
              {"name":"return_rate","baseline":0.05,"weight":-0.15,"lower_is_better":true},
              {"name":"avg_order_value","baseline":50,"weight":0.10},
              {"name":"product_diversity","baseline":2,"weight":0.10},
              {"name":"region","baseline":"1","weight":0.025},
              {"name":"high_value","baseline":"0","weight":0.025}]}
            """
        let analysis = try ImpactAnalysis(json: Array(json.utf8), name: "impact.json")
        let values = [
            "total_orders": "10", "total_spent": "500", "recent_purchases": "1", "return_rate": "0.03",
            "avg_order_value": "75", "product_diversity": "4", "region": "2", "high_value": "1",
        ]
        let impacts = analysis.impacts { values[$0] }
        let wanted = [0.75, 50, 0.25, 0.003, 2.5, 0.2, 0.025, 0.025]
        for (impact, wanted) in zip(impacts, wanted) {
            #expect(abs((impact.impact ?? .nan) - wanted) < 1e-12, "\(impact.name)")
            #expect(impact.direction == .positive && impact.direction.arrow == "▲")
        }
    }

    @Test func lowerIsBetterWhateverTheSignOfItsWeight() {
        for weight in [0.15, -0.15] {
            let analysis = ImpactAnalysis(features: [
                .init(name: "return_rate", baseline: .number(0.05), weight: weight, lowerIsBetter: true)
            ])
            #expect(analysis.impacts { _ in "0.03" }[0].direction == .positive)
            #expect(analysis.impacts { _ in "0.09" }[0].direction == .negative)
            #expect(analysis.impacts { _ in "0.05" }[0].direction == .neutral)
        }
    }

    @Test func categoriesAreComparedAsText() {
        let analysis = ImpactAnalysis(features: [.init(name: "region", baseline: .text("1"), weight: -0.5)])
        #expect(analysis.impacts { _ in "1" }[0].impact == 0)
        #expect(analysis.impacts { _ in "1.0" }[0].impact == -0.5)
        #expect(analysis.impacts { _ in nil }[0].impact == nil)
    }

    @Test("a missing value is unknown, not neutral; a text where a number must be is not taken")
    func unknown() {
        let analysis = ImpactAnalysis(features: [
            .init(name: "orders", baseline: .number(5), weight: 1),
            .init(name: "region", baseline: .text("1"), weight: 1),
        ])
        for missing in [nil, "", " ", "NA", "null"] {
            let impacts = analysis.impacts { _ in missing }
            #expect(impacts.allSatisfy { $0.direction == .unknown && $0.impact == nil }, "\(missing ?? "nil")")
        }
        for text in ["lots", "inf", "5,5"] {
            #expect(!analysis.accepts(text, for: "orders") && analysis.accepts(text, for: "region"))
        }
        #expect(analysis.accepts("", for: "orders") && analysis.accepts("5.5", for: "orders"))
    }

    @Test func faultsNameFeatureAndKey() {
        for (json, words) in [
            (#"{"features":[{"name":"a","baseline":1}]}"#, "weight"),
            (#"{"features":[{"name":"a","weight":1}]}"#, "baseline"),
            (#"{"features":[{"name":"a","weight":1,"baseline":1,"wieght":2}]}"#, "wieght"),
            (#"{"features":[{"name":"a","weight":1,"baseline":1},{"name":"a","weight":1,"baseline":1}]}"#, "twice"),
            (#"{"features":[]}"#, "features"),
        ] {
            do {
                _ = try ImpactAnalysis(json: Array(json.utf8), name: "w.json")
                Issue.record("\(json) was accepted")
            } catch { #expect(error.message.contains(words), "\(error.message)") }
        }
    }
}

@Suite struct QuadrantTests {
    @Test func everyCustomerIsInOneQuadrant() {
        let propensity = [0.1, 0.1, 0.9, 0.9, 0.2, .nan]
        let uplift = [0.05, 0, 0.04, -0.01, -0.2, 0.1]
        let quadrants = Quadrants(propensity: propensity, uplift: uplift)
        #expect(quadrants.total == 5)
        #expect(quadrants.groups.map(\.count) == [1, 1, 1, 2])
        #expect(quadrants.verdict.contains("one persuadable "))
        #expect(quadrants.html(facts: []).contains("sleeping dogs"))
        // An uplift whose interval includes 0 is none, whatever its sign.
        let doubtful = Quadrants(
            propensity: propensity, uplift: uplift, isDoubtful: [true, false, true, true, false, false])
        #expect(doubtful.groups.map(\.count) == [0, 2, 2, 1])
    }
}
