import Base
import Engine
import Events
import Features
import Foundation
import Kafka
import Pipeline
import StateStore
import TestSupport
import Testing

/// Users beyond the bound live in the local store; nothing that is computed may tell.
@Suite("Spilling")
struct SpillTests {
    /// Plays the same random stream to a bounded and to an unbounded partition.
    private func play(_ model: CheckpointModel, steps: Int, bound: Int) throws -> WorkerSpill {
        let spill = WorkerSpill(bound: bound, store: model.local.store)
        let unbounded = PartitionState(plan: model.plan)
        var a = [Float](repeating: 0, count: model.plan.count)
        var b = a
        for step in 0..<steps {
            try model.fill()
            try spill.load(model.shard, model.batch, 0..<model.batch.count)
            for i in 0..<model.batch.count {
                let user = model.batch.user(i)
                switch (model.shard.state.apply(model.batch, i), unbounded.apply(model.batch, i)) {
                case (.duplicate, .duplicate): break
                case (.applied(let one), .applied(let other)):
                    model.shard.state.features(one, into: &a)
                    unbounded.features(other, into: &b)
                    let isSame = a.map(\.bitPattern) == b.map(\.bitPattern)
                    #expect(isSame, "step \(step), event \(i)")
                default: Issue.record("a duplicate on one side only, step \(step), event \(i)")
                }
                if model.uniform(60) == 0 {
                    model.shard.content.erase(user: user)
                    unbounded.remove(user: user)
                }
            }
            let commits = model.uniform(5) > 0
            model.finish(commits: commits)
            if commits {
                unbounded.commit()
                model.advance(isProven: model.uniform(2) > 0)
                model.shard.checkpoint?.deleteErased(model.shard.state)
                try spill.relieve([model.shard])
            } else {
                unbounded.rollback()
            }
            guard step % 20 == 19 else { continue }
            #expect(model.isTruth(unbounded), "after step \(step)")
            if let (copy, _) = try model.restored("kill-\(step)") {
                #expect(model.isTruth(copy.state), "a kill after step \(step)")
            }
        }
        return spill
    }

    @Test("Features and duplicates are bit for bit those of an unbounded state", arguments: 0..<6)
    func bitForBit(round: Int) throws {
        // The table and the undo log alone are beyond the first bound: everything leaves after each commit. Beyond the
        // second one a part of the users does.
        let model = try CheckpointModel(.announced(), users: round < 3 ? 300 : 3_000)
        let spill = try play(model, steps: round < 3 ? 120 : 300, bound: round < 3 ? 1 : 1_400_000)
        print("evicted \(spill.evicted), brought back \(spill.loaded), \(model.shard.state.userCount) in memory")
        #expect(spill.evicted > 500)
        #expect(spill.loaded > 500)
        model.settle()
        let (copy, checkpoint) = try #require(try model.restored("end"))
        #expect(checkpoint.offset <= Int64(model.changelog.count))
        #expect(model.isTruth(copy.state))
    }

    @Test("Memory stays within the bound while users come without end")
    func withinTheBound() throws {
        let model = try CheckpointModel(.announced(), users: 200_000)
        let bound = 6 << 20
        let spill = WorkerSpill(bound: bound, store: model.local.store)
        var most = 0
        for _ in 0..<4_000 {
            try model.fill()
            try spill.load(model.shard, model.batch, 0..<model.batch.count)
            model.shard.state.apply(model.batch) { _, _ in }
            most = max(most, model.shard.state.residentBytes)
            model.finish(commits: true)
            model.changelog.removeAll()
            try spill.relieve([model.shard])
        }
        print("at most \(most) of \(bound) bytes, evicted \(spill.evicted)")
        #expect(spill.evicted > 0)
        #expect(most <= bound)
        #expect(model.shard.state.memoryBytes <= bound + 4 << 20)
    }

    @Test("A replaced store is noticed before a spilled user is taken for a new one")
    func replacedStore() throws {
        let model = try CheckpointModel(.announced())
        let spill = try play(model, steps: 20, bound: 1)
        #expect(spill.evicted > 0)
        try model.local.store.replace(generation: model.local.store.generation, reason: "a test")
        try model.fill()
        #expect(throws: ImpactError.self) { try spill.load(model.shard, model.batch, 0..<model.batch.count) }
        // No pass may claim that the empty store is complete.
        for _ in 0..<50 {
            model.advance()
            Thread.sleep(forTimeInterval: 0.001)
        }
        #expect(try model.local.store.checkpoint(of: 3) == nil)
        #expect(model.shard.checkpoint?.isOfAnotherStore == true)
    }
}
