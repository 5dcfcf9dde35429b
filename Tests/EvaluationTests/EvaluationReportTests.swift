import Base
import Evaluation
import Foundation
import Terminal
import TestSupport
import Testing

@Suite("The report")
struct EvaluationReportTests {
    private func report(
        _ trial: Trial, _ change: (inout EvaluationOptions) -> Void = { _ in },
        _ provenance: EvaluationProvenance = EvaluationProvenance()
    ) throws -> EvaluationReport {
        var options = EvaluationOptions()
        options.replicates = 50
        change(&options)
        return try EvaluationReport.compute(trial, options: options, provenance: provenance)
    }

    /// What the tests read of the JSON, through a decoder that keeps every digit.
    private struct Numbers: Decodable {
        struct Coefficient: Decodable { let value: Double? }
        struct Group: Decodable { let effect: Double? }
        struct Gain: Decodable { let gain: Double }
        let qiniCoefficient, auuc: Coefficient
        let upliftAtK, bins: [Group]
        let cumulativeGain: [Gain]
    }

    private func numbers(_ report: EvaluationReport) throws -> Numbers {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Numbers.self, from: Data(report.json.line.utf8))
    }

    @Test func sameBytesForAnyThreads() throws {
        var random = SeededGenerator.announced()
        for binary in [true, false] {
            let trial = try RandomTrial(3_000, levels: 200, binary: binary, &random).trial()
            let one = try report(trial) { $0.threads = 1 }
            for threads in [2, 3] {
                let other = try report(trial) { $0.threads = threads }
                #expect(other.json.line == one.json.line)
                #expect(other.html == one.html)
                #expect(other.text() == one.text())
            }
        }
    }

    @Test func numbersOfTheReportAreThoseOfTheMetrics() throws {
        var random = SeededGenerator.announced()
        let trial = try RandomTrial(2_000, &random).trial()
        let ranked = RankedTrial(trial)
        let numbers = try numbers(try report(trial))
        #expect(numbers.qiniCoefficient.value == ranked.qiniCoefficient())
        #expect(numbers.auuc.value == ranked.upliftAUC())
        #expect(numbers.upliftAtK.count == 8)
        #expect(numbers.upliftAtK[2].effect == ranked.uplift(at: 0.3, .overall)?.effect)
        #expect(numbers.upliftAtK[6].effect == ranked.uplift(at: 0.3, .byGroup)?.effect)
        #expect(numbers.bins.map(\.effect) == ranked.bins().map(\.effect))
        #expect(numbers.cumulativeGain.last?.gain == ranked.upliftCurve().value.last)
    }

    /// Nothing is fetched, whatever the names say; they are text and nothing else.
    @Test func thePageStandsAloneAndIsSafe() throws {
        var random = SeededGenerator.announced()
        var provenance = EvaluationProvenance()
        provenance.title = "<script>alert('1')</script> & \"co\"\u{7}"
        provenance.data = "https://example.com/<b>.csv"
        provenance.model = "m</title><img src=x onerror=y>"
        provenance.remarks = ["</li><script src=//x>"]
        let page = try report(RandomTrial(1_000, &random).trial(), { _ in }, provenance).html
        for forbidden in ["<script", "<img", "<link", "src=\"", "href=", "@import", "url(http", "\u{7}"] {
            #expect(!page.contains(forbidden), "\(forbidden)")
        }
        #expect(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;co&quot;"))
        #expect(page.contains("prefers-color-scheme:dark") && page.contains("@media print"))
        // Well-formed enough that every element that opens closes.
        for tag in ["main", "section", "figure", "svg", "table", "tbody", "tr", "dl", "ul", "title", "g"] {
            let opened = page.ranges(of: "<\(tag)>").count + page.ranges(of: "<\(tag) ").count
            #expect(opened == page.ranges(of: "</\(tag)>").count, "\(tag)")
        }
        #expect(page.ranges(of: "role=\"img\"").count == 5)
        #expect(!page.contains("nan") && !page.contains("inf,"))
    }

    /// A drawn curve stays within one step's rise of the curve, however the ties lie.
    @Test func thinnedCurvesKeepTheirShape() throws {
        var random = SeededGenerator.announced()
        let rows = RandomTrial(20_000, binary: false, &random)
        var perfect = rows
        perfect.score = zip(rows.treatment, rows.outcome).map { $0 == 1 ? $1 : -$1 }
        let curve = RankedTrial(try perfect.trial()).qiniCurve()
        let drawn = curve.thinned(to: 201)
        #expect(drawn.count <= 402 && drawn.value.last == curve.value.last)
        let peak = try #require(curve.value.max())
        #expect(try #require(drawn.value.max()) > 0.98 * peak)
        for place in stride(from: 0.0, through: 20_000, by: 50) {
            #expect(abs(curve.height(at: place) - drawn.height(at: place)) < 0.02 * peak)
        }
    }

    /// Trials at the edge give words instead of numbers, and never a crash.
    @Test func edges() throws {
        let smallest = try report(try Trial(score: [1, 2], treatment: [1, 0], outcome: [0, 0]))
        #expect(smallest.qini.value == nil && smallest.qini.remark == "no outcome differs, so there is nothing to rank")
        #expect(smallest.verdict.hasPrefix("No verdict"))
        #expect(smallest.notes.contains { $0.hasPrefix("bin 3 of 10: no rows") })
        #expect(smallest.html.contains("no rows") && smallest.text().contains("no rows"))
        #expect(try numbers(smallest).qiniCoefficient.value == nil)
        _ = smallest.plot()

        let constant = try report(
            try Trial(
                score: [Double](repeating: 3, count: 40), treatment: (0..<40).map { UInt8($0 % 2) },
                outcome: (0..<40).map { Double($0 % 3 == 0 ? 1 : 0) }))
        #expect(constant.notes.contains { $0.hasPrefix("every row has the same score") })
        _ = constant.html
        let same = try report(
            try Trial(
                score: [Double](repeating: 3, count: 200), treatment: (0..<200).map { UInt8($0 % 2) },
                outcome: (0..<200).map { Double($0 % 3 == 0 ? 1 : 0) }))
        #expect(same.verdict == "No verdict: every row has the same score, so that nothing is ranked.")
        #expect(same.qini.interval == nil && same.upliftAUC.interval == nil && same.averageEffect.interval != nil)

        let huge = try report(
            try Trial(
                score: (0..<50).map(Double.init), treatment: (0..<50).map { UInt8($0 % 2) },
                outcome: (0..<50).map { Double($0 * 7 % 11) * 1e12 }))
        #expect(huge.hasBinaryOutcome == false)
        _ = huge.html + huge.text() + huge.plot(width: 20, rows: 3)
    }

    @Test func refusesWhatMakesNoTrial() throws {
        func code(_ body: () throws -> Trial) -> String? {
            do {
                _ = try body()
                return nil
            } catch { return (error as? ImpactError)?.code }
        }
        #expect(code { try Trial(score: [], treatment: [], outcome: []) } == "bad_trial")
        #expect(code { try Trial(score: [1, 2], treatment: [1, 1], outcome: [0, 1]) } == "single_arm")
        #expect(code { try Trial(score: [1, 2], treatment: [0, 0], outcome: [0, 1]) } == "single_arm")
        #expect(code { try Trial(score: [1, 2], treatment: [0, 2], outcome: [0, 1]) } == "bad_trial")
        #expect(code { try Trial(score: [1, .nan], treatment: [0, 1], outcome: [0, 1]) } == "bad_trial")
        #expect(code { try Trial(score: [1, 2], treatment: [0, 1], outcome: [0, .infinity]) } == "bad_trial")
        #expect(code { try Trial(score: [1, 2], treatment: [0, 1], outcome: [0]) } == "bad_trial")
        #expect(
            code { try Trial(score: [1, 2], treatment: [0, 1], outcome: [0, 1], weight: [1, -1]) } == "bad_trial")
        #expect(
            code { try Trial(score: [1, 2], treatment: [0, 1], outcome: [0, 1], propensity: [0, 0.5]) } == "bad_trial")
        for change: (inout EvaluationOptions) -> Void in [
            { $0.fractions = [1] }, { $0.bins = 0 }, { $0.level = 1 }, { $0.replicates = -1 },
            { $0.threshold = .nan },
        ] {
            var options = EvaluationOptions()
            change(&options)
            let trial = try Trial(score: [1, 2], treatment: [0, 1], outcome: [0, 1])
            #expect { try EvaluationReport.compute(trial, options: options) } throws: {
                ($0 as? ImpactError)?.code == "bad_options"
            }
        }
    }

    /// The Hillstrom women's trial, seed-42 test rows, scored by EconML: `ten-split-bar.csv` has scikit-uplift's numbers.
    @Test func hillstrom() throws {
        guard let path = SharedMaterial.path("data/hillstrom/womens_visit_seed42_CF-DML.csv") else { return }
        var columns = TrialColumns()
        columns.outcome = "y"
        columns.treatment = "t"
        let reading = try TrialReader.read(path, columns)
        let ranked = RankedTrial(reading.trial)
        #expect(ranked.qiniCoefficient() == 0.061829063266885934)
        #expect(ranked.upliftAUC() == 0.028073878897951703)
        #expect(ranked.uplift(at: 0.3, .overall)?.effect == 0.08228830079375771)
        #expect(ranked.uplift(at: 0.3, .byGroup)?.effect == 0.08125161998401434)
        #expect(ranked.weightedAverageUplift(.overall) == 0.04491309392769575)
        let report = try report(reading.trial, { $0.replicates = 200 }, EvaluationProvenance(reading))
        #expect(report.verdict.hasPrefix("The scores rank people better than chance"))
        print(report.plot())
    }
}
