import Engine
import Events
import Features
import Pipeline
import TestSupport
import Testing

/// Made-up ids must not fill memory: what a time to live forgets keeps up with what comes.
@Suite("Forgetting under a flood of ids")
struct ShardExpiryTests {
    @Test(
        "Users whose time is over are forgotten as fast as new ones come, whatever the size of commits",
        arguments: [200, 2_000])
    func flood(each: Int) throws {
        let plan = try FeaturePlan(
            try FeatureSpecification(
                json: Array(
                    #"{"features":[{"name":"clicks","aggregate":"count","events":["click"],"window":"7d"}]}"#.utf8)))
        // One event each 10 ms: of 100,000 users 6,000 have not been away for a minute.
        let shard = Shard(0, topics: ["events"], plan: plan, timeToLive: 60_000)
        let batch = EventBatch(schema: plan.schema, capacity: each)
        var time: Int64 = 1_795_255_200_000
        var (made, most) = (0, 0)
        while made < 100_000 {
            batch.removeAll()
            for _ in 0..<each {
                let text = #"{"user_id":"u-\#(made)","type":"click","time":\#(time)}"#
                try Array(text.utf8).withUnsafeBytes { message in
                    try Array("u-\(made)".utf8).withUnsafeBytes {
                        try batch.append(message, key: $0, source: SourcePosition(timestamp: time))
                    }
                }
                made += 1
                time += 10
            }
            shard.state.apply(batch) { _, _ in }
            _ = shard.collectChangelog()
            shard.content.takeOutputs { _, _ in }
            shard.accept()
            if made > 20_000 { most = max(most, shard.state.userCount) }
        }
        // Four are looked at for each that comes, so that a quarter of them at the least need be over.
        #expect(most < 2 * (6_000 + each), "\(most)")
        #expect(shard.state.userCount >= 6_000)
    }
}
