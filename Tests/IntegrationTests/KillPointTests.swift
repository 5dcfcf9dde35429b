import Base
import Foundation
import Reliability
import TestSupport
import Testing

/// The worker kills itself at each step of the commit and restore protocol; what is published equals an undisturbed run.
/// The long form is `scripts/reliability kill-points --seeds 20`.
@Suite("Kill points", .serialized)
struct KillPointTests {
    @Test("Killed twice at every step: scores, dead letters, log store and state as if nothing had happened")
    func everyStep() throws {
        guard let run = try start() else { return }
        let cases = KillPoint.allCases.flatMap { point in run.logStores(of: point).map { (point, $0) } }
        for outcome in inParallel(cases, width: 3, { run.run($0.0, logStore: $0.1) }) { check(outcome) }
        run.delete()
    }

    @Test("Killed while handing its partitions to a member that joins")
    func handingOver() throws {
        guard let run = try start() else { return }
        let points: [KillPoint] = [.beforeRevokeCommit, .afterRevokeCommit, .afterDrop]
        for outcome in inParallel(points, width: 3, { run.runRebalance($0) }) { check(outcome) }
        run.delete()
    }

    private func start(_ test: String = #function) throws -> KillPointRun? {
        guard let broker = TestBroker.start(test: test) else { return nil }
        let name = TestBroker.unique("kp")
        let folder = FileManager.default.temporaryDirectory.appending(path: name).path
        let site = try TestSite(bootstrap: broker.bootstrap, folder: folder)
        var seeds = SeededGenerator.announced(test)
        return try KillPointRun(site, prefix: name, seed: seeds.next() % 1_000_000, postgres: TestPostgres.shared)
    }

    private func check(_ outcome: KillPointRun.Outcome) {
        #expect(
            outcome.problems.isEmpty,
            """
            \(outcome.point.rawValue) (\(outcome.logStore), stream seed \(outcome.seed)): \
            \(outcome.problems.joined(separator: "; "))
            """)
        #expect(outcome.kills > 0)
    }
}
