import Foundation
import Kafka
import Reliability
import TestSupport
import Testing

/// A reset application publishes once more what it published before, from empty state; a dry run changes nothing.
@Suite("Reset", .serialized)
struct ResetTests {
    @Test("Refused while members live, nothing without --yes, then all over again with equal bytes")
    func startsAnew() throws {
        guard let broker = TestBroker.start() else { return }
        let name = TestBroker.unique("reset")
        let site = try TestSite(
            bootstrap: broker.bootstrap, folder: FileManager.default.temporaryDirectory.appending(path: name).path)
        var seeds = SeededGenerator.announced()
        let stream = try TestStream(site, topic: "\(name)-events", partitions: 2, seed: seeds.next() % 1_000, users: 50)
        defer { stream.delete() }
        try stream.write(600)
        let ends = try stream.ends()
        let admin = try site.admin()
        defer { admin.close() }
        let application = try TestApplication(
            "\(name)-app", stream: stream,
            settings: ["kafka.consumer.session.timeout.ms=6000", "kafka.consumer.heartbeat.interval.ms=500"])

        let first = try application.launch()
        while first.isRunning, !application.isDone(ends, admin: admin) { usleep(20_000) }
        let refused = try application.command(["reset", "--yes"])
        #expect(refused.wait(seconds: 60) == .exited(1))
        #expect(refused.tail.contains("members"), "\(refused.tail)")
        #expect(try KillPointRun.finish([first], application, ends) == [.exited(0)])
        let once = try Snapshot(of: application)

        // A static member stays for the rest of its session.
        var dry = try application.command(["reset"])
        for _ in 0..<60 where dry.wait(seconds: 60) == .exited(1) {
            usleep(500_000)
            dry = try application.command(["reset"])
        }
        #expect(dry.wait(seconds: 60) == .exited(0), "\(dry.tail)")
        #expect(dry.tail.contains("nothing was done"))
        #expect(application.isDone(ends, admin: admin))
        #expect(try Snapshot(of: application).problems(against: once) == [])

        let reset = try application.command(["reset", "--yes"])
        #expect(reset.wait(seconds: 60) == .exited(0), "\(reset.tail)")
        #expect(application.progress(admin: admin) == 0)
        #expect(try Snapshot(of: application).userCount == 0)

        #expect(try KillPointRun.finish([application.launch()], application, ends) == [.exited(0)])
        #expect(try Snapshot(of: application).isTwice(once))
        application.delete()
    }
}
