import Evaluation
import Testing

@Suite("Equal to scikit-uplift 0.5.1")
struct ScikitUpliftTests {
    /// Bit for bit: both sides add the same numbers in the same order.
    @Test func everyReferenceCase() throws {
        let cases = try ReferenceCase.load()
        #expect(cases.isEmpty || cases.count == 30)
        for (index, reference) in cases.enumerated() {
            let ranked = RankedTrial(try reference.trial, threads: 1 + index % 2)
            let expected = reference.expected
            #expect(ranked.qiniCoefficient() == expected["qini_auc"], "qini, case \(index)")
            #expect(
                ranked.qiniCoefficient(negativeEffect: false) == expected["qini_auc_noneg"], "qini -, case \(index)")
            #expect(ranked.upliftAUC() == expected["uplift_auc"], "auuc, case \(index)")
            #expect(ranked.uplift(at: 0.3, .overall)?.effect == expected["at30_overall"], "@30, case \(index)")
            #expect(ranked.uplift(at: 0.3, .byGroup)?.effect == expected["at30_bygroup"], "@30 by group, case \(index)")
            #expect(
                ranked.weightedAverageUplift(.overall, bins: reference.bins) == expected["wau_overall"],
                "weighted average, case \(index)")
            #expect(
                ranked.weightedAverageUplift(.byGroup, bins: reference.bins) == expected["wau_bygroup"],
                "weighted average by group, case \(index)")
        }
    }
}
