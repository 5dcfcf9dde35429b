import Diagnostics
import Foundation
import Kafka
import Reliability
import Sinks
import TestSupport
import Testing

/// A message that ends the process whenever it is handled is quarantined, and everything else goes on as if it were not there.
@Suite("Poison message", .serialized)
struct PoisonMessageTests {
    @Test(
        "Quarantined at the third start when it crashes the process, at the fourth when it gets it killed",
        arguments: [SIGABRT, SIGKILL])
    func quarantine(signal: Int32) throws {
        guard let broker = TestBroker.start() else { return }
        let name = TestBroker.unique("poison")
        let site = try TestSite(
            bootstrap: broker.bootstrap, folder: FileManager.default.temporaryDirectory.appending(path: name).path)
        guard let library = try PoisonLibrary(folder: site.folder) else { return }
        var seeds = SeededGenerator.announced()
        let stream = try TestStream(site, topic: "\(name)-events", partitions: 2, seed: seeds.next() % 1_000, users: 50)
        defer { stream.delete() }
        try stream.write(400)
        // Of a type that is not scored, and of a user of its own: nothing else depends on it.
        try stream.write(
            key: "poison-user",
            value: #"{"id":"arsenic","user_id":"poison-user","type":"page_view","time":1767225600000}"#)
        try stream.write(400, salt: 1)
        let ends = try stream.ends()

        let reference = try TestApplication("\(name)-reference", stream: stream)
        #expect(try KillPointRun.finish([reference.launch()], reference, ends) == [.exited(0)])
        let application = try TestApplication("\(name)-app", stream: stream)
        let poison = library.environment(text: #""id":"arsenic""#, signal: signal)
        for _ in 0..<(signal == SIGABRT ? 2 : 3) {
            let child = try application.launch(environment: poison)
            #expect(child.wait(seconds: 60) == .killed(signal: signal), "\(child.tail)")
        }
        #expect(try KillPointRun.finish([application.launch(environment: poison)], application, ends) == [.exited(0)])

        let problems = try Snapshot(of: application).problems(
            against: Snapshot(of: reference), withoutUsers: ["poison-user"], moreDeadLetters: 1)
        #expect(problems == [])
        // Nothing is suspected any more: the poison itself kills only those who handle it.
        #expect(try KillPointRun.finish([application.launch()], application, ends) == [.exited(0)])
        application.delete()
        reference.delete()
    }

    @Test("With poison.protection=false it kills every time")
    func off() throws {
        guard let broker = TestBroker.start() else { return }
        let name = TestBroker.unique("poison")
        let site = try TestSite(
            bootstrap: broker.bootstrap, folder: FileManager.default.temporaryDirectory.appending(path: name).path)
        guard let library = try PoisonLibrary(folder: site.folder) else { return }
        let stream = try TestStream(site, topic: "\(name)-events", partitions: 1, seed: 1, users: 5)
        defer { stream.delete() }
        try stream.write(key: "u", value: #"{"id":"arsenic","user_id":"u","type":"page_view","time":1767225600000}"#)
        let application = try TestApplication("\(name)-app", stream: stream, settings: ["poison.protection=false"])
        for _ in 0..<4 {
            let child = try application.launch(environment: library.environment(text: "arsenic", signal: SIGABRT))
            #expect(child.wait(seconds: 60) == .killed(signal: SIGABRT))
        }
        application.delete()
    }
}
