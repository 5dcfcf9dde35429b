import Base
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
        try quarantine(signal: signal, deaths: signal == SIGABRT ? 2 : 3, hasOtherTopic: false)
    }

    @Test("Of several input topics, merged by time: the message of its own topic alone")
    func severalTopics() throws {
        try quarantine(signal: SIGABRT, deaths: 2, hasOtherTopic: true)
    }

    private func quarantine(signal: Int32, deaths: Int, hasOtherTopic: Bool) throws {
        guard let broker = TestBroker.start() else { return }
        let name = TestBroker.unique("poison")
        let site = try TestSite(
            bootstrap: broker.bootstrap, folder: FileManager.default.temporaryDirectory.appending(path: name).path)
        guard let library = try PoisonLibrary(folder: site.folder) else { return }
        var seeds = SeededGenerator.announced()
        let stream = try TestStream(
            site, topic: "\(name)-events", partitions: hasOtherTopic ? 1 : 2, seed: seeds.next() % 1_000, users: 50)
        defer { stream.delete() }
        // With another topic the first record of all, whose twin there has the same partition and offset, and comes next.
        if !hasOtherTopic { try stream.write(400) }
        // Of a type that is not scored, and of a user of its own: nothing else depends on it.
        try stream.write(
            key: "poison-user",
            value: #"{"id":"arsenic","user_id":"poison-user","type":"page_view","time":1767225600000}"#,
            time: hasOtherTopic ? 1_767_225_600_000 : nil)
        try stream.write(400, salt: 1)
        var ends = try stream.ends()
        var settings: [String] = []
        let other = hasOtherTopic ? try Self.otherStream(beside: stream) : nil
        defer { other?.delete() }
        if let other {
            ends.merge(try other.ends()) { first, _ in first }
            settings = ["input.topics=\(stream.topic),\(other.topic)", "input.merge.wait.ms=8000"]
        }

        let reference = try TestApplication("\(name)-reference", stream: stream, settings: settings)
        #expect(try KillPointRun.finish([reference.launch()], reference, ends) == [.exited(0)])
        let application = try TestApplication("\(name)-app", stream: stream, settings: settings)
        let admin = try site.admin()
        defer { admin.close() }
        let poison = library.environment(text: #""id":"arsenic""#, signal: signal, spared: hasOtherTopic ? 1 : 0)
        for _ in 0..<deaths {
            let child = try application.launch(environment: poison)
            #expect(
                child.wait(seconds: 60) == .killed(signal: signal),
                "committed \(application.progress(admin: admin)) of \(ends): \(child.tail)")
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

    private static func otherStream(beside stream: TestStream) throws -> TestStream {
        let other = try TestStream(
            stream.site, topic: "\(stream.topic)-more", partitions: stream.partitions, seed: stream.seed + 1_000,
            users: 50)
        try other.write(
            key: "twin", value: #"{"id":"twin","user_id":"twin","type":"page_view","time":1767225600000}"#,
            time: 1_767_225_600_001)
        try other.write(800)
        return other
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
