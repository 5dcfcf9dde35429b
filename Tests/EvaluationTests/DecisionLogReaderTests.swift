import Base
import Evaluation
import Foundation
import TestSupport
import Testing

/// A log of decisions from a CSV gives what the same columns give by hand.
@Suite("Logs of decisions from files")
struct DecisionLogReaderTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "impactiq-log-\(UUID().uuidString)")

    private func file(_ name: String, _ text: String) throws -> String {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let url = folder.appending(path: name)
        try text.write(to: url, atomically: false, encoding: .utf8)
        return url.path
    }

    private struct Decision {
        var action: String
        var place: String
        var reward: Double
        var propensity: Double
    }

    /// A log over the actions 2, 10 and "b, c", of two places.
    private func decisions(_ generator: inout SeededGenerator) -> [Decision] {
        (0..<500).map { _ in
            Decision(
                action: ["2", "10", "\"b, c\""].randomElement(using: &generator) ?? "2",
                place: ["top", "side"].randomElement(using: &generator) ?? "top",
                reward: Double(Int.random(in: 0...1, using: &generator)),
                propensity: [0.2, 0.3, 0.5].randomElement(using: &generator) ?? 0.5)
        }
    }

    private func csv(_ decisions: [Decision]) -> String {
        "reward,action,propensity,place\n"
            + decisions.map { "\($0.reward),\($0.action),\($0.propensity),\($0.place)\n" }.joined()
    }

    @Test("Uniform, always, another log's and given policies equal the same values by hand")
    func policies() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var generator = SeededGenerator.announced("decisions")
        let own = decisions(&generator), other = decisions(&generator)
        let path = try file("own.csv", csv(own)), otherPath = try file("other.csv", csv(other))
        var columns = DecisionColumns()
        columns.stratum = "place"
        let reading = try DecisionLogReader.read(path, columns, policyLog: otherPath)
        // Labels by length, then text, whatever their order in the file.
        #expect(
            reading.actions == ["2", "10", "b, c"]
                && reading.strata == ["top", "side"].sorted { ($0.count, $0) < ($1.count, $1) })
        let code = ["2": 0, "10": 1, "\"b, c\"": 2]
        func place(_ decision: Decision) -> Int { reading.strata.firstIndex(of: decision.place) ?? 0 }
        let log = try DecisionLog(
            action: own.map { Int32(code[$0.action] ?? 0) }, actionCount: 3, reward: own.map(\.reward),
            propensity: own.map(\.propensity), stratum: own.map { Int32(place($0)) }, stratumCount: 2)
        var table = [Double](repeating: 0, count: 6)
        for stratum in 0..<2 {
            for action in 0..<3 {
                let rows = other.filter { place($0) == stratum && code[$0.action] == action }
                table[stratum * 3 + action] = rows.map(\.propensity).reduce(0, +) / Double(max(1, rows.count))
            }
            let total = table[stratum * 3..<stratum * 3 + 3].reduce(0, +)
            for action in 0..<3 { table[stratum * 3 + action] /= total }
        }
        let always = TargetPolicy("always 10") { _, out in
            out.update(repeating: 0)
            out[1] = 1
        }
        for (policy, expected) in [
            (LoggedPolicy.uniform, TargetPolicy.uniform), (.log(otherPath), .table("t", table, log: log)),
            (.always("10"), always),
        ] {
            let made = try OffPolicyValue(reading.policy(policy), reading.log, seed: 3)
            let value = try OffPolicyValue(expected, log, seed: 3)
            #expect(made.ips == value.ips && made.selfNormalized == value.selfNormalized)
            #expect(made.doublyRobust == value.doublyRobust)
        }
        // Four actions although the logs took three: the fourth is part of the uniform policy.
        let wider = try DecisionLogReader.read(path, columns, actions: 4)
        let value = try OffPolicyValue(wider.policy(.uniform), wider.log)
        #expect(abs(value.ips.value * 4 / 3 - (try OffPolicyValue(.uniform, log)).ips.value) < 1e-12)
    }

    @Test("Given probabilities come from columns named by the actions")
    func columns() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try file("given.csv", "action,reward,propensity,p_a,p_b\na,1,0.5,0.9,0.1\nb,0,0.5,0.2,0.8\n")
        var columns = DecisionColumns()
        columns.policyPrefix = "p_"
        let reading = try DecisionLogReader.read(path, columns)
        let value = try OffPolicyValue(reading.policy(.columns("p_")), reading.log)
        #expect(abs(value.ips.value - 0.9) < 1e-12)
    }

    @Test("What is wrong is named with file, line and column")
    func errors() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        func refused(_ text: String, _ what: String, _ change: (inout DecisionColumns) -> Void = { _ in }) throws {
            let path = try file("bad.csv", text)
            var columns = DecisionColumns()
            change(&columns)
            do {
                _ = try DecisionLogReader.read(path, columns)
                Issue.record("accepted: \(text)")
            } catch {
                #expect(error.kind == .badInput && error.message.contains(what), "\(error.message)")
            }
        }
        try refused("action,reward\na,1\n", "propensity")
        try refused("action,reward,propensity\na,one,0.5\n", "line 2")
        try refused("action,reward,propensity\na,1,0\n", "propensity of row 0")
        try refused("action,reward,propensity\na,,0.5\n", "--skip-missing")
        try refused("action,reward,propensity\na,1,0.5\n", "--stratum") { $0.stratum = "position" }
        try refused("action,reward,propensity\na,1,0.5\n", "pi_") { $0.policyPrefix = "pi_" }
        try refused("action,reward,propensity\n", "no decision")
    }
}
