import Simulation
import Testing

@Test func strataAreProbabilitiesAndDefineTheEffect() {
    for index in 0..<20_000 {
        let strata = TrialUser(seed: 3, index: index).strata
        #expect(min(strata.persuaded, strata.always, strata.disturbed) > 0)
        #expect(strata.persuaded + strata.always + strata.disturbed < 1)
        #expect(abs(strata.treated - strata.baseline - strata.effect) < 1e-12)
    }
}

@Test func classesAnswerAsTheirNamesSay() {
    let summaries = TrialTruth.summaries(seed: 1, users: 20_000)
    #expect(summaries.map(\.segment) == Segment.allCases)
    #expect(summaries.allSatisfy { $0.users > 2000 })
    let (persuadable, sure, lost, dog) = (summaries[0], summaries[1], summaries[2], summaries[3])
    #expect(persuadable.effect > 0.15)
    #expect(dog.effect < -0.08)
    #expect(abs(sure.effect) < 0.02 && sure.baseline > 0.3)
    #expect(abs(lost.effect) < 0.02 && lost.baseline < 0.08)
}

@Test func traitsBelongToSeedAndIndexAlone() {
    #expect(TrialUser(seed: 5, index: 9) == TrialUser(seed: 5, index: 9))
    #expect(TrialUser(seed: 5, index: 9) != TrialUser(seed: 5, index: 10))
    #expect(TrialUser(seed: 5, index: 9) != TrialUser(seed: 6, index: 9))
}

@Test func userIDsReadBack() {
    func index(_ text: String) -> Int? {
        Array(text.utf8).withUnsafeBytes { TrialTruth.index(ofUser: $0) }
    }
    #expect(index("u-0") == 0)
    #expect(index("u-1234567890") == 1_234_567_890)
    for wrong in ["", "u-", "u", "v-1", "u-1x", "u--1", "u-12345678901"] { #expect(index(wrong) == nil) }
}

@Test func truthLinesHaveTheColumnsOfTheHeader() {
    var text = ""
    TrialTruth.appendLine(of: 17, seed: 1, into: &text)
    let columns = TrialTruth.header.description.split(separator: ",").count
    #expect(text.hasPrefix("u-17,") && text.hasSuffix("\n"))
    #expect(text.split(separator: ",").count == columns)
}
