import Attribution
import AttributionStore
import Base
import Foundation
import Testing

@Suite struct PathTests {
    @Test func aFileOfPaths() throws {
        let scratch = try Scratch()
        let file = scratch.path + "/paths.csv"
        try "path,total_conversions,total_conversion_value,total_null\na,4,40,0\na > b,6,90,0\n\" b>  c \",0,0,5\n"
            .write(
                toFile: file, atomically: true, encoding: .utf8)
        let outcome = try PathComparison.compare(file, PathComparison.kinds, ModelOptions())
        let names = outcome.comparison.channels
        let (a, b) = (names.firstIndex(of: "a")!, names.firstIndex(of: "b")!)
        for (index, column) in outcome.comparison.columns.enumerated() {
            #expect(column.units.reduce(0, +) == 10 * Int128(Credit.unit), "\(column.kind)")
            #expect(abs(outcome.values[index].reduce(0, +) - 130) < 1e-9)
        }
        let shapley = outcome.comparison.columns.first { $0.kind == .shapley }!
        #expect(shapley.credit(a) == 7 && shapley.credit(b) == 3)
        #expect(shapley.ownTotals?[a] == 7)
    }

    @Test func pathsAndTablesGiveTheSameMarkov() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try Tables(seed: 9).write(database)
        let reader = JourneyReader(database, try Tables.reading(), channels: ChannelTable())
        var lines = ["path,conversions,nulls"]
        try database.transaction(writing: false) { () throws(ImpactError) in
            try reader.forEachJourney { (journey) throws(ImpactError) in
                let path = journey.touches.map { reader.channels[$0.channel] }.joined(separator: " > ")
                let quoted = "\"" + path.replacing("\"", with: "\"\"") + "\""
                lines.append("\(quoted),\(journey.conversion == nil ? "0,1" : "1,0")")
            }
        }
        let file = scratch.path + "/paths.csv"
        try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        for order in 1...3 {
            var options = ModelOptions()
            options.markovOrder = order
            var channels = ChannelTable()
            let models = AttributionModels(options, channels: &channels)
            let tables = JourneyReader(database, try Tables.reading(), channels: channels)
            let one = try database.transaction(writing: false) { () throws(ImpactError) in
                try AttributionComparison.compare(tables, [.markov, .linear], models)
            }
            let other = try PathComparison.compare(file, [.markov, .linear], options).comparison
            for (x, y) in zip(one.columns, other.columns) {
                for (channel, name) in one.channels.enumerated() {
                    guard let same = other.channels.firstIndex(of: name) else { continue }
                    #expect(abs(x.credit(channel) - y.credit(same)) < 1e-6, "order \(order) \(name)")
                }
            }
        }
    }

    @Test(arguments: ["1e19", "9223372036854775808", "1.1e15", "-1", "x", "inf"])
    func aCountThatIsNoneNamesItsPlace(count: String) throws {
        let scratch = try Scratch()
        let file = scratch.path + "/paths.csv"
        for column in ["conversions", "value", "nulls"] {
            try "path,\(column)\na > b,1\na,\(count)\n".write(toFile: file, atomically: true, encoding: .utf8)
            let error = #expect(throws: ImpactError.self) {
                try PathComparison.compare(file, [.linear, .markov], ModelOptions())
            }
            #expect(error?.message.contains("line 3, column '\(column)'") == true, "\(error?.message ?? "")")
        }
        // The largest that is taken.
        try "path,conversions\na > b,1e15\nb,1e15\n".write(toFile: file, atomically: true, encoding: .utf8)
        let outcome = try PathComparison.compare(file, PathComparison.kinds, ModelOptions())
        for column in outcome.comparison.columns {
            #expect(column.units.reduce(0, +) == 2_000_000_000_000_000 * Int128(Credit.unit), "\(column.kind)")
        }
    }

    @Test func aModelThatNeedsTimesIsRefused() {
        #expect(throws: ImpactError.self) { try PathComparison.compare("none.csv", [.ihc], ModelOptions()) }
    }
}
