import Base
import Foundation
import Rows
import Scoring
import Statistics
import Testing
import Training

/// What files may hold: numbers far from 0, weights of nothing, missing arms, other encodings, logged chances.
@Suite struct TrainingInputTests {
    /// Rows of a trial with a known average effect of 1: a heading, and a line a row from its number, x, arm and outcome.
    private func file(
        _ heading: String, count: Int = 600, arms: Int = 2, _ line: (Int, Double, Int, Double) -> String
    ) throws -> String {
        let path = try TrainerTests.folder() + "/rows.csv"
        var stream = RandomStream(seed: 41, lane: 9)
        var lines = [heading]
        for row in 0..<count {
            let (x, arm) = (stream.normal(), stream.below(arms))
            lines.append(line(row, x, arm, x + (arm == 1 ? 1 : 0) + 0.5 * stream.normal()))
        }
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private func request(_ path: String, _ change: (inout TrainingRequest) -> Void = { _ in }) -> TrainingRequest {
        var request = TrainingRequest(rows: path)
        request.outcomes = ["y"]
        change(&request)
        return request
    }

    private func message(_ request: TrainingRequest) -> String {
        do {
            _ = try TrainingData(try TrainingPlan.make(request), path: request.rows)
            return ""
        } catch { return "\(error)" }
    }

    @Test(
        "outcomes far from 0 keep their digits: the effects are those of the same outcomes near 0",
        arguments: [1e7, 1e9])
    func farOutcomes(shift: Double) throws {
        func train(_ shift: Double) throws -> TrainedOutcome {
            let path = try file("x,t,y") { "\($1),\($2),\($3 + shift)" }
            let (result, _, _) = try TrainerTests.train(
                request(path) { $0.propensity = "0.5" }, TrainerTests.settings(), to: path + ".model")
            return try #require(result.outcomes.first)
        }
        let (near, far) = (try train(0), try train(shift))
        #expect(abs(near.averages[0].estimate - far.averages[0].estimate) < 1e-3)
        #expect(abs(near.averages[0].standardError - far.averages[0].standardError) < 1e-3)
        let path = try file("x,t,y") { "\($1),\($2),\($3 * 1e-200)" }
        #expect(message(request(path)).contains("line 2, column 'y'"))
    }

    @Test("rows of weight 0 are no rows, and one row that outweighs all is one")
    func weights() throws {
        func refusal(_ weight: (Int, Int) -> String) throws -> String {
            let path = try file("x,t,w,y") { row, x, arm, y in "\(x),\(arm),\(weight(row, arm)),\(y)" }
            return message(request(path) { $0.weight = "w" })
        }
        #expect(try refusal { _, _ in "0" }.contains("600 without a usable 'w'"))
        #expect(try refusal { _, _ in "1e-300" }.contains("'w': \"1e-300\""))
        #expect(try refusal { _, arm in "\(1 - arm)" }.contains("arm '1' has 0 usable rows"))
        #expect(try refusal { row, _ in row == 7 ? "1e12" : "1" }.contains("leave what 1 rows"))
        #expect(try refusal { row, _ in "\(1 + row % 3)" } == "")
    }

    @Test("an arm that is missing is left out, whatever stands for missing")
    func missingArms() throws {
        for text in ["NA", "nan", "", "null"] {
            let path = try file("x,t,y") { row, x, arm, y in "\(x),\(row % 3 == 0 ? text : "\(arm)"),\(y)" }
            let plan = try TrainingPlan.make(request(path))
            #expect(plan.arms == ["0", "1"], "\(text)")
            let data = try TrainingData(plan, path: path)
            #expect(data.count == 400 && data.dropped.map(\.rows) == [200], "\(text)")
        }
    }

    @Test("text that is not UTF-8, and NUL bytes, are errors with their line")
    func encodings() throws {
        let path = try file("x,k,t,y") { row, x, arm, y in "\(x),\(row % 2 == 0 ? "a" : "b"),\(arm),\(y)" }
        let whole = try Data(contentsOf: URL(filePath: path))
        func spoilt(_ find: String, _ bytes: [UInt8]) throws -> String {
            var data = whole
            data.replaceSubrange(try #require(data.range(of: Data(find.utf8))), with: bytes)
            try data.write(to: URL(filePath: path))
            return message(request(path))
        }
        #expect(try spoilt(",a,", [0x2C, 0xE9, 0x2C]).contains("line 2, column 'k': its text is not UTF-8"))
        #expect(try spoilt(",b,", [0x2C, 0x62, 0, 0x2C]).contains("line 3, column 'k': a NUL byte"))
        #expect(try spoilt("x,k", [0x78, 0x2C, 0xE9]).contains("line 1, column 2: its text is not UTF-8"))
        try Data([0xFF, 0xFE] + whole.flatMap { [$0, 0] }).write(to: URL(filePath: path))
        #expect(message(request(path)).contains("UTF-16"))
    }

    @Test(
        "the logged chance of the row's own arm: of three arms it tells the others only when it is the same for an arm")
    func loggedChances() throws {
        let path = try file("x,t,arm_propensity,y", arms: 3) { _, x, arm, y in
            "\(x),\(arm),\([0.5, 0.3, 0.2][arm]),\(y)"
        }
        func chances(_ request: TrainingRequest) throws -> [Double]? {
            guard case .constant(let found) = try TrainingPlan.make(request).propensity else { return nil }
            return found
        }
        func isNear(_ found: [Double]?, _ expected: [Double]) -> Bool {
            guard let found, found.count == expected.count else { return false }
            return zip(found, expected).allSatisfy { abs($0 - $1) < 1e-6 }
        }
        #expect(isNear(try chances(request(path)), [0.5, 0.3, 0.2]))
        // Given that a row has one of two arms; as the row's own chance alone the control's would say 1 − 0.5.
        #expect(isNear(try chances(request(path) { $0.arms = ["1"] }), [0.625, 0.375]))
        #expect(isNear(try chances(request(path) { $0.propensity = "arm_propensity" }), [0.5, 0.3, 0.2]))
        let varying = try file("x,t,arm_propensity,y", arms: 3) { row, x, arm, y in "\(x),\(arm),0.\(3 + row % 3),\(y)"
        }
        #expect(try TrainingPlan.make(request(varying)).propensity == .estimate)
        #expect(message(request(varying) { $0.propensity = "arm_propensity" }).contains("more than two arms"))
        let two = try file("x,t,arm_propensity,y") { row, x, arm, y in "\(x),\(arm),0.\(3 + row % 3),\(y)" }
        #expect(try TrainingPlan.make(request(two)).propensity == .ownArm("arm_propensity"))
    }

    @Test("a column is one thing only")
    func roles() throws {
        let path = try file("x,t,w,y") { _, x, arm, y in "\(x),\(arm),1,\(y)" }
        func code(_ change: (inout TrainingRequest) -> Void) -> String? {
            #expect(throws: ImpactError.self) { try TrainingPlan.make(request(path, change)) }?.code
        }
        #expect(code { $0.outcomes = ["t"] } == "train_columns")
        #expect(code { $0.outcomes = ["y", "y"] } == "train_columns")
        #expect(code { $0.weight = "t" } == "train_columns")
        #expect(code { $0.features = ["y"] } == "train_columns")
        #expect(code { $0.ignored = ["y"] } == "train_columns")
        #expect(code { ($0.features, $0.ignored) = (["x"], ["x"]) } == "train_columns")
        #expect(code { $0.propensityIsOfTreatment = true } == "train_propensity")
    }

    @Test("a column that is there in one arm alone came after the treatment")
    func oneArm() throws {
        let path = try file("x,t,opened,y") { row, x, arm, y in "\(x),\(arm),\(arm == 1 && row % 5 < 3 ? 1 : 0),\(y)" }
        let data = try TrainingData(try TrainingPlan.make(request(path)), path: path)
        #expect(TrainingDiagnostics.suspects(data).map(\.feature) == ["opened"])
    }
}
