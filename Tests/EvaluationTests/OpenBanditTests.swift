import Evaluation
import Foundation
import TestSupport
import Testing

/// Off-policy value on real logs of two policies over the same 80 items and 3 positions.
///
/// The expected numbers are obp 0.4.1's on the same rows:
/// `python scripts/reference-open-bandit.py ../shared/data/open-bandit`.
@Suite("Open Bandit against obp")
struct OpenBanditTests {
    static let items = 80
    static let positions = 3

    static func load(_ name: String) throws -> DecisionLog? {
        guard let path = SharedMaterial.path("data/open-bandit/\(name)_all.csv.gz") else { return nil }
        let lines = String(decoding: try gunzip(path), as: UTF8.self).split(separator: "\n")
        let heading = lines[0].split(separator: ",", omittingEmptySubsequences: false)
        func column(_ name: String) throws -> [Substring] {
            let index = try #require(heading.firstIndex { $0 == name })
            return lines.dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false)[index] }
        }
        return try DecisionLog(
            action: try column("item_id").map { try #require(Int32($0)) }, actionCount: items,
            reward: try column("click").map { try #require(Double($0)) },
            propensity: try column("propensity_score").map { try #require(Double($0)) },
            stratum: try column("position").map { try #require(Int32($0)) - 1 }, stratumCount: positions)
    }

    /// The Thompson policy: each item's mean logged propensity at a position, normalised.
    static func thompson(_ log: DecisionLog) -> [Double] {
        var sum = [Double](repeating: 0, count: items * positions)
        var count = sum
        for row in 0..<log.count {
            let cell = Int(log.stratum[row]) * items + Int(log.action[row])
            sum[cell] += log.propensity[row]
            count[cell] += 1
        }
        var table = zip(sum, count).map { $1 > 0 ? $0 / $1 : 0 }
        for position in 0..<positions {
            let cells = position * items..<(position + 1) * items
            let total = table[cells].reduce(0, +)
            for cell in cells { table[cell] /= total }
        }
        return table
    }

    @Test func bothDirections() throws {
        guard let random = try Self.load("random"), let thompson = try Self.load("bts") else { return }
        #expect(random.count == 10_000 && thompson.count == 10_000)
        let model = (0..<10_000).flatMap { _ in (0..<Self.items).map { 0.003 + Double($0) / 80_000 } }

        let uniform = try OffPolicyValue(.uniform, thompson, rewardModel: .given(model))
        #expect(near(uniform.logged.value, 0.0042, 1e-14))
        expect(
            uniform, ips: 0.0023596395168460037, snips: 0.002333713893161806, robust: 0.0023312637937350634,
            direct: 0.0034937500000000008)

        let policy = TargetPolicy.table("Thompson", Self.thompson(thompson), log: random)
        let reverse = try OffPolicyValue(policy, random, rewardModel: .given(model))
        #expect(near(reverse.logged.value, 0.0038, 1e-14))
        expect(
            reverse, ips: 0.006055388582228917, snips: 0.006265604048518598, robust: 0.006181247089848377,
            direct: 0.0035558246116155585)

        // Against the on-policy mean of the other log: within the intervals of both.
        for (estimate, truth) in [(uniform, random), (reverse, thompson)] {
            let onPolicy = try OffPolicyValue(.uniform, truth).logged
            for value in [estimate.ips, estimate.selfNormalized, estimate.doublyRobust] {
                let distance = abs(value.value - onPolicy.value)
                let error = hypot(try #require(value.standardError), try #require(onPolicy.standardError))
                #expect(distance < 1.96 * error, "\(estimate.policy): \(value.value) against \(onPolicy.value)")
            }
            print(
                "\(estimate.policy): DR \(estimate.doublyRobust.value), on-policy "
                    + "\(onPolicy.value), effective sample size \(estimate.effectiveSampleSize) \(estimate.warnings)")
        }
        // The concentrated Thompson log covers the uniform policy badly, and says so.
        #expect(uniform.warnings.contains { $0.hasPrefix("poor overlap") })
        #expect(uniform.effectiveSampleSize < 0.1 * 10_000)
        // Own models, cross-fitted: deterministic per seed.
        let fitted = try OffPolicyValue(policy, random, rewardModel: .means(), seed: 4)
        #expect(
            fitted.doublyRobust == (try OffPolicyValue(policy, random, rewardModel: .means(), seed: 4)).doublyRobust)
        #expect(abs(fitted.doublyRobust.value - 0.0061) < 0.002)
    }

    private func expect(_ value: OffPolicyValue, ips: Double, snips: Double, robust: Double, direct: Double) {
        for (name, ours, theirs) in [
            ("IPS", value.ips, ips), ("SNIPS", value.selfNormalized, snips), ("DR", value.doublyRobust, robust),
            ("direct", value.direct, direct),
        ] {
            #expect(
                abs(ours.value - theirs) <= 1e-12 * theirs, "\(value.policy), \(name): \(ours.value), obp \(theirs)")
        }
    }
}
