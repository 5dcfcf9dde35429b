import Foundation
import Reliability
import TestSupport
import Testing

/// The long run `scripts/reliability random-kills` in short.
@Suite("Random kills", .serialized)
struct RandomKillTests {
    @Test("kill -9 of one of two processes while events arrive: equal to an undisturbed run")
    func twoProcesses() throws {
        guard let broker = TestBroker.start() else { return }
        let name = TestBroker.unique("kills")
        let site = try TestSite(
            bootstrap: broker.bootstrap, folder: FileManager.default.temporaryDirectory.appending(path: name).path)
        var settings = Soak.Settings()
        settings.rate = 2_000
        settings.seconds = 11
        settings.partitions = 4
        settings.users = 2_000
        settings.logStore = .sqlite
        var seeds = SeededGenerator.announced()
        settings.seed = seeds.next() % 1_000_000
        let outcome = try Soak(site, name: name, settings).run {
            try Scenario.randomKills($0, names: ["a", "b"], every: 1...2.5, settle: 3)
        }
        print(outcome.measured.map { "\($0.name): \($0.value)" }.joined(separator: ", "))
        #expect(outcome.problems == [])
        #expect(outcome.rows == outcome.scores)
        #expect(outcome.scores > 1_000)
    }
}
