import Base
import Features
import Foundation
import Kafka
import Pipeline
import StateStore
import TestSupport
import Testing

@Suite("Checkpoints of a partition")
struct ShardCheckpointTests {
    @Test("A kill at any moment: the store and the changelog's tail are the committed state", arguments: 0..<6)
    func killAtAnyMoment(round: Int) throws {
        let model = try CheckpointModel(.announced())
        var checkpoints = 0
        for step in 0..<150 {
            try model.work()
            let commits = model.uniform(4) > 0
            model.finish(commits: commits)
            // A commit that was not seen to succeed proves nothing; an aborted one comes with no piece of work.
            if commits { model.advance(isProven: model.uniform(3) > 0) }
            if model.uniform(3) == 0 { Thread.sleep(forTimeInterval: 0.000_3) }
            guard step % 6 == 5 else { continue }
            if let (copy, _) = try model.restored("kill-\(step)") {
                checkpoints += 1
                #expect(model.isTruth(copy.state), "step \(step)")
            }
        }
        model.settle()
        let (copy, checkpoint) = try #require(try model.restored("end"))
        #expect(model.isTruth(copy.state))
        #expect(model.isTruth(model.shard.state))
        #expect(checkpoint.offset <= Int64(model.changelog.count))
        #expect(model.shard.state.unsavedCount == 0)
        #expect(checkpoints > 0)
    }

    @Test("After a restart the next passes go on from the restored state")
    func passesAfterARestart() throws {
        let model = try CheckpointModel(.announced())
        for round in 0..<5 {
            for _ in 0..<20 {
                try model.work()
                model.finish(commits: true)
                model.advance()
                Thread.sleep(forTimeInterval: 0.000_2)
            }
            // The process begins anew on the same store.
            if let (copy, _) = try model.restored("restart-\(round)", adopts: true) { model.shard = copy }
        }
        model.settle()
        let (copy, checkpoint) = try #require(try model.restored("end"))
        #expect(checkpoint.offset <= Int64(model.changelog.count))
        #expect(model.isTruth(copy.state))
    }

    @Test("A store that is replaced gets every user with the next pass")
    func replacedStore() throws {
        let model = try CheckpointModel(.announced())
        for _ in 0..<20 {
            try model.work()
            model.finish(commits: true)
        }
        model.settle()
        #expect(try model.local.store.checkpoint(of: 3) != nil)
        // In the midst of a pass, so that the rest of it goes to the wrong store.
        try model.work()
        model.finish(commits: true)
        for _ in 0..<50 where model.shard.checkpoint?.isWorking != true {
            model.advance()
            Thread.sleep(forTimeInterval: 0.001)
        }
        try model.local.store.replace(generation: model.local.store.generation, reason: "a test")
        try model.work()
        model.finish(commits: true)
        model.settle()
        let (copy, checkpoint) = try #require(try model.restored("end"))
        #expect(checkpoint.offset <= Int64(model.changelog.count))
        #expect(model.isTruth(copy.state))
    }

    /// The worker's order at a stop: question, commit, the commit's piece of work, last pass.
    @Test("A regular pass that falls due at the stop takes nothing from the last one", arguments: [false, true])
    func lastPass(isAsking: Bool) throws {
        let model = try CheckpointModel(.announced())
        let checkpoint = try #require(model.shard.checkpoint)
        try model.work()
        model.finish(commits: true)
        // The model's passes are due after a millisecond.
        Thread.sleep(forTimeInterval: 0.005)
        if isAsking {
            model.advance(isProven: false)
            #expect(checkpoint.phase == .asking)
        }
        while !checkpoint.ticket.isAnswered {
            model.local.ask(checkpoint.ticket)
            Thread.sleep(forTimeInterval: 0.001)
        }
        try model.work()
        model.finish(commits: true)
        model.advance()
        #expect(checkpoint.beginLast(model.shard.state))
        while checkpoint.isWorking { model.advance(isProven: false) }
        let (copy, _) = try #require(try model.restored("end"))
        #expect(model.isTruth(copy.state))
        #expect(model.shard.state.unsavedCount == 0)
    }

    @Test("Whoever takes the partition over ends the right of the one before")
    func takeOver() throws {
        let model = try CheckpointModel(.announced())
        try model.work()
        model.finish(commits: true)
        model.settle()
        let before = try model.local.store.checkpoint(of: 3)
        let old = model.shard
        let heir = Shard(3, topics: ["events"], plan: model.plan)
        model.adopt(heir)
        #expect(old.checkpoint?.ticket.isEnded == true)
        try model.work()
        model.finish(commits: true)
        model.settle()
        #expect(try model.local.store.checkpoint(of: 3) == before)
    }

    @Test("Nothing is claimed without a proof of ownership after the question")
    func noClaimWithoutProof() throws {
        let model = try CheckpointModel(.announced())
        try model.work()
        model.finish(commits: true)
        for _ in 0..<50 {
            model.advance(isProven: false)
            Thread.sleep(forTimeInterval: 0.001)
        }
        #expect(model.shard.checkpoint?.phase == .asking)
        #expect(try model.local.store.checkpoint(of: 3) == nil)
        model.settle()
        #expect(try model.local.store.checkpoint(of: 3) != nil)
    }
}
