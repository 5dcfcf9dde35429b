import Attribution
import AttributionStore
import Base
import Foundation
import Statistics
import Testing

/// A world with known increments: `Retargeting` is shown to those who convert anyway, late; `Social` opens journeys and
/// causes conversions; `Search` closes them and causes some.
@Suite struct CausalWorldTests {
    @Test func lastClickMisleadsAndTheCausalRowIsRight() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        var tables = Tables()
        var random = RandomStream(seed: 77, lane: 50)
        let users = 30_000
        let names = ["Social", "Search", "Retargeting"]
        let effects = [0.06, 0.02, 0.002]
        var truth = [0.0, 0.0, 0.0]
        // The trial: of those a channel reaches, half are shown it; conversions and people by channel and arm.
        var converted = [[Double]](repeating: [0, 0], count: 3)
        var people = converted
        var sessionOf: [(user: String, channel: Int, time: Int64)] = []
        for user in 0..<users {
            let interest = random.happens(0.3)
            var chance = interest ? 0.12 : 0.01
            var arms: [Int?] = [nil, nil, nil]
            for channel in 0..<3 {
                // Retargeting reaches almost only the interested.
                let reach = channel == 2 ? (interest ? 0.9 : 0.05) : channel == 0 ? 0.5 : 0.4
                guard random.happens(reach) else { continue }
                let isShown = random.happens(0.5)
                arms[channel] = isShown ? 1 : 0
                guard isShown else { continue }
                chance += effects[channel]
                truth[channel] += effects[channel]
                let second = Int64(channel) * 86_400 + Int64(random.below(80_000))
                sessionOf.append(("u\(user)", channel, (20_000 * 86_400 + second) * 1_000))
            }
            let converts = random.happens(chance)
            for channel in 0..<3 {
                guard let arm = arms[channel] else { continue }
                people[channel][arm] += 1
                if converts { converted[channel][arm] += 1 }
            }
            if converts { tables.conversions.append(["c\(user)", "u\(user)", "2024-10-10", "00:00:00", "10"]) }
        }
        // The uplift of each channel as the trial estimates it: the difference of the arms' means.
        let scores = try scratch.database("scores.db")
        try scores.execute("CREATE TABLE scores (user_id TEXT, time INTEGER, uplift REAL, std_error REAL)")
        try scores.begin(writing: true)
        let insertion = try scores.insertion(
            into: "scores", columns: ["user_id", "time", "uplift", "std_error"], suffix: "")
        let estimates = (0..<3).map { channel -> (Double, Double) in
            let rates = (0..<2).map { converted[channel][$0] / people[channel][$0] }
            let variance = (0..<2).reduce(0.0) { $0 + rates[$1] * (1 - rates[$1]) / people[channel][$1] }
            return (rates[1] - rates[0], variance.squareRoot())
        }
        for (index, item) in sessionOf.enumerated() {
            let day = Int32(item.time / 86_400_000)
            let second = Int(item.time / 1_000) % 86_400
            tables.sessions.append([
                "s\(index)", item.user, CivilDay.text(day),
                String(format: "%02d:%02d:%02d", second / 3600, second / 60 % 60, second % 60), names[item.channel],
                "1", "1", "0",
            ])
            try insertion.add([
                .text(item.user), .integer(item.time + 500), .double(estimates[item.channel].0),
                .double(estimates[item.channel].1),
            ])
        }
        try insertion.finish()
        try scores.commit()
        try tables.write(database)
        var channels = ChannelTable()
        let models = AttributionModels(ModelOptions(), channels: &channels)
        let reader = JourneyReader(database, try Tables.reading(), channels: channels, scores: scores)
        let comparison = try AttributionComparison.compare(reader, [.last, .markov, .shapley, .causal], models)
        #expect(reader.counts.scoresWithoutSession == 0)
        func share(_ kind: ModelKind, _ name: String) -> Double {
            let column = comparison.columns.first { $0.kind == kind }!
            return column.credit(comparison.channels.firstIndex(of: name)!) / comparison.conversions
        }
        let total = truth.reduce(0, +)
        func distance(_ kind: ModelKind) -> Double {
            zip(names, truth).reduce(0) { $0 + abs(share(kind, $1.0) - $1.1 / total) }
        }
        for (index, name) in names.enumerated() {
            let number = Int32(comparison.channels.firstIndex(of: name)!)
            let row = try #require(comparison.causal.first { $0.channel == number })
            #expect(abs(row.incremental - truth[index]) < 1.96 * row.standardError, "\(name)")
        }
        print(
            "true increments \(truth), last \(names.map { share(.last, $0) * comparison.conversions }), distances last "
                + "\(distance(.last)) markov \(distance(.markov)) shapley \(distance(.shapley))")
        // Last-click gives the channel that adds least the most.
        #expect(share(.last, "Retargeting") > share(.last, "Social"))
        #expect(truth[2] < 0.1 * total)
        #expect(distance(.markov) < distance(.last) && distance(.shapley) < distance(.last))
        #expect(comparison.disagreement(comparison.channels.firstIndex(of: "Retargeting")!)?.contains("anyway") == true)
    }
}
