import Evaluation
import Foundation
import TestSupport
import Testing

/// The page of an off-policy evaluation: its numbers are those of the value, and it needs nothing but itself.
@Suite("Off-policy report")
struct OffPolicyReportTests {
    private func report(propensity: [Double], rows: Int, title: String? = nil) throws -> OffPolicyReport {
        var random = SeededGenerator(seed: 11)
        var csv = "action,reward,propensity\n"
        for _ in 0..<rows {
            let action = Double.random(in: 0..<1, using: &random) < propensity[0] ? 0 : 1
            csv += "<a\(action)>,\(Int.random(in: 0...3, using: &random)),\(propensity[action])\n"
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "impactiq-log-\(UUID().uuidString).csv")
        try csv.write(to: file, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let reading = try DecisionLogReader.read(file.path, DecisionColumns())
        var provenance = OffPolicyProvenance()
        provenance.title = title
        return OffPolicyReport(
            value: try OffPolicyValue(reading.policy(.uniform), reading.log), reading: reading, level: 0.95,
            provenance: provenance)
    }

    @Test func theGainIsThePolicysValueLessTheLogs() throws {
        let value = try report(propensity: [0.7, 0.3], rows: 2_000).value
        #expect(abs(value.gainOverLog.value - (value.doublyRobust.value - value.logged.value)) < 1e-12)
        // Both are of the same rewards, so their difference is surer than if they were of two logs.
        let apart = hypot(try #require(value.doublyRobust.standardError), try #require(value.logged.standardError))
        #expect(try #require(value.gainOverLog.standardError) < apart)
        // How wrong a reward model alone is, no interval of ours knows.
        #expect(value.direct.interval == nil && value.direct.standardError == nil)
    }

    @Test func binsHoldEveryDecisionAndAllWeight() throws {
        let bins = try report(propensity: [0.9, 0.1], rows: 3_000).value.weightBins
        #expect(abs(bins.reduce(0) { $0 + $1.decisions } - 1) < 1e-9)
        #expect(abs(bins.reduce(0) { $0 + $1.weight } - 1) < 1e-9)
        // Weights are .5/.9 and .5/.1 = 5: the first bin is (.5, 1], the last (2, 5].
        #expect(bins.first?.lower == 0.5 && bins.last?.upper == 5)
        #expect((bins.first?.decisions ?? 0) > (bins.first?.weight ?? 1))
    }

    @Test func thePageStandsAloneAndWarns() throws {
        let poor = try report(propensity: [0.995, 0.005], rows: 2_000, title: "A & B").html
        #expect(poor.contains("A &amp; B"))
        #expect(poor.contains("Before you believe a number") && poor.contains("poor overlap"))
        for outside in ["<script", "src=", "href=", "@import", "url("] {
            #expect(!poor.replacing(/url\(#[a-z]+-c\)/, with: "").contains(outside), "\(outside)")
        }
        #expect(poor.components(separatedBy: "<figure>").count == 3)
        #expect(poor.components(separatedBy: "<table").count == 4)
        let good = try report(propensity: [0.5, 0.5], rows: 4_000).html
        #expect(!good.contains("poor overlap"))
    }
}
