import Attribution
import AttributionStore
import Base
import Foundation
import TestSupport
import Testing

@Suite struct IHCResultsTests {
    @Test func fittedCurvesReproduceAnAPIsAnswersToJourneysThatWereNotUsed() throws {
        guard let path = SharedMaterial.path("data/ihc/journeys.json.gz") else { return }
        let answers = try IHCResults.read(path, clock: try LocalClock(named: "UTC"))
        #expect(answers.count == 600)
        let quality = try IHCFit.crossValidate(answers)
        print(
            "held out: mean \(quality.meanError), 95th percentile \(quality.percentile95), largest \(quality.largest), "
                + "equal split \(quality.equalSplit), \(quality.severalSessions) journeys of several sessions")
        #expect(quality.meanError < 0.01)
        #expect(quality.percentile95 < 0.03)
        #expect(quality.equalSplit > 0.15)
        let parameters = try IHCFit.fit(answers)
        #expect(abs(parameters.initializerWeight - 0.323) < 0.002)
        #expect(abs(parameters.holderWeight - 0.374) < 0.002)
        #expect(parameters.restartHours > 51.8 && parameters.restartHours < 55.1)
        let standard = IHCFit.compare(IHCModel(.standard), answers)
        #expect(standard.meanError < 0.01)
    }

    @Test func damagedResultsAreErrors() throws {
        let clock = try LocalClock(named: "UTC")
        for text in [
            "[", "{}", "[{\"session_id\":1}]", "[{\"conversion_id\":\"c\",\"sessions\":[{\"session_id\":\"s\"}]}]",
            "[{\"conversion_id\":\"c\",\"sessions\":[{\"session_id\":\"s\",\"timestamp\":\"soon\"}]}]",
        ] {
            #expect(throws: ImpactError.self) { try IHCResults.parse(Array(text.utf8), name: "test", clock: clock) }
        }
        #expect(throws: ImpactError.self) { try IHCFit.fit([]) }
    }
}
