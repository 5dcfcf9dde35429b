import Attribution
import Statistics
import Testing

@Suite struct IHCTests {
    private func touches(_ hours: [Double], holder: [Bool]? = nil, closer: [Bool]? = nil, channels: [Int32]? = nil)
        -> [Touch]
    {
        hours.enumerated().map { index, hour in
            var flags: Touch.Flags = []
            if holder?[index] ?? true { flags.insert(.holderEngagement) }
            if closer?[index] ?? true { flags.insert(.closerEngagement) }
            return Touch(
                session: "s\(index)", channel: channels?[index] ?? 0, time: Int64(hour * 3_600_000), flags: flags)
        }
    }

    @Test func theHoldersMembershipAtItsCorners() {
        #expect(IHCParameters.holder(initializer: 0, closer: 0) == 1)
        #expect(IHCParameters.holder(initializer: 1, closer: 0) == 0.25)
        #expect(IHCParameters.holder(initializer: 0, closer: 1) == 0.25)
        #expect(IHCParameters.holder(initializer: 1, closer: 1) == 0)
    }

    @Test func quickSessionsAreInitializerHoldersAndCloser() {
        // Seven sessions within minutes, only the last with closer engagement: an API's answer to four decimals.
        let hours = [0, 0.0075, 0.0172, 0.0242, 0.1069, 0.1125, 0.1189]
        let closer = [false, false, false, false, false, false, true]
        let credit = IHCModel(.standard).credit(of: touches(hours, closer: closer))
        for (a, b) in zip(credit, [0.34, 0.068, 0.068, 0.068, 0.068, 0.068, 0.32]) { #expect(abs(a - b) < 1e-4) }
    }

    @Test func aLongGapIsANewStart() {
        let credit = IHCModel(.standard).credit(of: touches([0, 3, 143, 144, 148]))
        #expect(credit[0] == 0 && credit[1] == 0 && credit[2] > 0.3)
        #expect(credit.reduce(0, +) == 1)
    }

    @Test func phasesAddUpToOneOrAreAbsent() {
        var random = RandomStream(seed: 21, lane: 6)
        for _ in 0..<500 {
            let count = 1 + random.below(8)
            var hour = 0.0
            let hours = (0..<count).map { _ -> Double in
                hour += random.exponential(mean: 25)
                return hour
            }
            let flags = (0..<count).map { _ in random.happens(0.6) }
            let phases = IHCModel(.standard).phases(of: touches(hours, holder: flags, closer: flags.reversed()))
            #expect(abs(phases.reduce(0) { $0 + $1.0.initializer } - 1) < 1e-12)
            #expect(abs(phases.reduce(0) { $0 + $1.0.closer } - 1) < 1e-12)
            let holder = phases.reduce(0) { $0 + $1.0.holder }
            #expect(abs(holder - 1) < 1e-12 || holder == 0)
            let present = phases[0].1
            #expect(abs(present.initializer + present.holder + present.closer - 1) < 1e-12)
        }
    }

    @Test func directIsRedistributedWhereThereAreOthers() {
        let model = IHCModel(.standard, redistributed: [1])
        let credit = model.credit(of: touches([0, 5, 9], channels: [0, 1, 0]))
        #expect(credit[1] == 0 && credit.reduce(0, +) == 1)
        let only = model.credit(of: touches([0, 5], channels: [1, 1]))
        #expect(only.allSatisfy { $0 > 0 })
    }

    @Test func aFitFindsTheCurvesThatMadeTheAnswers() throws {
        let truth = IHCModel(
            IHCParameters(
                initializer: IHCCurve(hours: [2, 40], values: [0, 1]),
                closer: IHCCurve(hours: [0, 30], values: [1, 0]),
                restartHours: 40, initializerWeight: 0.2, holderWeight: 0.5, closerWeight: 0.3))
        var random = RandomStream(seed: 5, lane: 7)
        func answers(_ count: Int, _ name: String) -> [IHCAnswer] {
            (0..<count).map { index in
                var hour = 0.0
                let journey = touches(
                    (0..<(1 + random.below(5))).map { _ in
                        hour += random.exponential(mean: 18)
                        return hour
                    })
                return IHCAnswer(
                    id: "\(name)\(index)", touches: journey, phases: truth.phases(of: journey).map(\.0),
                    credit: truth.credit(of: journey))
            }
        }
        let fitted = try IHCFit.fit(answers(800, "fit"))
        #expect(abs(fitted.restartHours - 40) < 0.5)
        #expect(abs(fitted.holderWeight - 0.5) < 1e-3)
        let quality = IHCFit.compare(IHCModel(fitted), answers(400, "new"))
        #expect(quality.meanError < 0.003 && quality.equalSplit > 0.05)
    }

    /// Answers of a model with curves over the position: they are found, and answers without any get none.
    @Test func aFitFindsCurvesOverThePosition() throws {
        var random = RandomStream(seed: 6, lane: 7)
        func answers(_ count: Int, _ name: String, _ truth: IHCModel) -> [IHCAnswer] {
            (0..<count).map { index in
                var hour = 0.0
                let journey = touches(
                    (0..<(1 + random.below(8))).map { _ in
                        hour += random.exponential(mean: 12)
                        return hour
                    })
                return IHCAnswer(
                    id: "\(name)\(index)", touches: journey, phases: truth.phases(of: journey).map(\.0),
                    credit: truth.credit(of: journey))
            }
        }
        var parameters = IHCParameters(
            initializer: IHCCurve(hours: [2, 40], values: [0, 1]), closer: IHCCurve(hours: [0, 30], values: [1, 0]),
            restartHours: 40, initializerWeight: 0.3, holderWeight: 0.4, closerWeight: 0.3)
        let flat = try IHCFit.fit(answers(600, "flat", IHCModel(parameters)))
        #expect(flat.positions == .flat)
        let holder = IHCCurve(hours: [0, 0.5, 1], values: [0.3, 1, 0.4])
        parameters.positions = .init(holder: holder)
        let truth = IHCModel(parameters)
        let fitted = try IHCFit.fit(answers(900, "fit", truth))
        let found = try #require(fitted.positions.holder)
        for place in [0, 0.25, 0.5, 0.75, 1] { #expect(abs(found.at(place) - holder.at(place)) < 0.12, "\(place)") }
        let new = answers(400, "new", truth)
        var without = fitted
        without.positions = .flat
        let (with, flatError) = (
            IHCFit.compare(IHCModel(fitted), new).meanError, IHCFit.compare(IHCModel(without), new).meanError
        )
        #expect(with < 0.3 * flatError, "\(with), \(flatError)")
        #expect(try IHCParameters(json: fitted.json(fit: nil), name: "test").positions.holder != nil)
    }

    @Test func theFileOfCurvesReadsBack() throws {
        let read = try IHCParameters(json: IHCParameters.standard.json(fit: nil), name: "test")
        #expect(read == .standard)
    }
}
