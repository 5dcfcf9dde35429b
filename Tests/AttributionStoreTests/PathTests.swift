import Attribution
import AttributionStore
import Base
import Foundation
import TestSupport
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

    /// Parts of any length give what reading from the start to the end gives.
    @Test(arguments: [1, 2, 4]) func partsGiveTheSameAsTheWhole(_ order: Int) throws {
        var generator = SeededGenerator.announced("path parts \(order)")
        let scratch = try Scratch()
        func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
        let names = ["a", "Paid Search", "a channel with a very long name, indeed", "é", "b#", "(direct)", "12345678"]
        for round in 0..<40 {
            let ends = pick(0...1) == 0 ? "\n" : "\r\n"
            let isOdd = round % 4 == 3
            var lines = ["nulls,path,note,conversions,value"]
            for _ in 0..<pick(1...60) {
                var path = (0..<pick(0...6)).map { _ in names[pick(0...names.count - 1)] }
                    .joined(separator: [">", " > ", "  >"][pick(0...2)])
                if pick(0...5) == 0 { path += " >" }
                let isQuoted = path.contains(",") || pick(0...2) == 0
                let note = pick(0...9) == 0 ? "\"two\nlines, one field\"" : "x"
                let number = ["0", "1", "2.5", "", "17"][pick(0...4)]
                lines.append("\(pick(0...3)),\(isQuoted ? "\"\(path)\"" : path),\(note),\(number),\(pick(0...99)).25")
                if pick(0...20) == 0 { lines.append("") }
            }
            if isOdd { lines.append("1,\"a \"\"b\"\"\",x,1,1") }
            let file = scratch.path + "/paths-\(round).csv"
            try (lines.joined(separator: ends) + (pick(0...1) == 0 ? ends : ""))
                .write(toFile: file, atomically: true, encoding: .utf8)
            var options = ModelOptions()
            options.markovOrder = order
            // With another model beside it the file is read from the start to the end.
            let whole = try PathComparison.compare(file, [.markov, .linear], options)
            let totals = try #require(whole.comparison.columns[0].ownTotals)
            var channels = ChannelTable()
            _ = AttributionModels(options, channels: &channels)
            for bytes in [1, 7, 64, 1 << 20] {
                let parts = PathParts.read(
                    file, .init(path: 1, conversions: 3, value: 4, nulls: 0, count: 5), channels: channels,
                    order: order,
                    partBytes: bytes)
                if isOdd {
                    #expect(parts == nil)
                    continue
                }
                let read = try #require(parts, "\(round), parts of \(bytes)")
                #expect(read.rows == whole.rows)
                #expect(read.conversions == whole.comparison.conversions)
                #expect(read.channels.names == whole.comparison.channels)
                let fitted = MarkovFitter(read.counts).finish(channels: read.channels.count)
                let own = try #require(fitted.channelTotals)
                for (a, b) in zip(own, totals) { #expect(abs(a - b) < 1e-9 * max(1, b), "\(round), parts of \(bytes)") }
            }
            #expect(
                try PathComparison.compare(file, [.markov], options).comparison.columns[0].ownTotals?.count
                    == totals.count)
        }
    }

    @Test func aFaultInAPartIsSaidWithItsLine() throws {
        let scratch = try Scratch()
        let file = scratch.path + "/paths.csv"
        let good = String(repeating: "a > b,1\n", count: 1_000)
        for (bad, words) in [
            ("a,x\n", "is not a number"), ("a,-1\n", "is negative"), ("a,1e308\n", "more than 10^15"),
            ("a,1,2\n", "3 fields"), ("a\"b,1\n", "quote"),
        ] {
            try ("path,conversions\n" + good + bad + good).write(toFile: file, atomically: true, encoding: .utf8)
            let error = #expect(throws: ImpactError.self) {
                try PathComparison.compare(file, [.markov], ModelOptions())
            }
            #expect(error?.message.contains("line 1002") == true && error?.message.contains(words) == true, "\(bad)")
        }
    }

    @Test func missingNumbersAreCounted() throws {
        let scratch = try Scratch()
        let file = scratch.path + "/paths.csv"
        try "path,conversions\na,NaN\nb,2\na > b,\n".write(toFile: file, atomically: true, encoding: .utf8)
        for kinds in [[ModelKind.markov], [.markov, .linear]] {
            let comparison = try PathComparison.compare(file, kinds, ModelOptions()).comparison
            #expect(comparison.conversions == 2)
            #expect(comparison.remarks.contains { $0.hasPrefix("2 numbers that are missing") })
        }
    }

    /// Conversions in are conversions divided and those without a channel, in both ways of reading.
    @Test(arguments: [true, false]) func pathsWithoutAChannelAreCounted(_ divides: Bool) throws {
        let scratch = try Scratch()
        let file = scratch.path + "/paths.csv"
        try "path,conversions,value\na,4,8\na > > b,6.5,13\n,3,9\n".write(
            toFile: file, atomically: true, encoding: .utf8)
        let comparison = try PathComparison.compare(file, [.markov], ModelOptions(), divides: divides).comparison
        #expect(comparison.conversions == 10.5)
        #expect(abs(Credit.value(comparison.columns[0].units.reduce(0, +)) - 10.5) < 1e-9)
        #expect(comparison.columns[0].isDivided == divides)
        #expect(
            comparison.remarks.contains("3 conversions without a channel in their path, value 9: no channel gets them"))
        #expect(comparison.remarks.contains("1 steps without a name in paths: left out"))
    }

    /// By hand: the removal effects are 1 and .6.
    @Test func aSingleMarkovDividesAsOneOfSeveralDoes() throws {
        let scratch = try Scratch()
        let file = scratch.path + "/paths.csv"
        try "path,conversions\na,4\na>b,6\n".write(toFile: file, atomically: true, encoding: .utf8)
        for kinds in [[ModelKind.markov], [.markov, .linear]] {
            let column = try PathComparison.compare(file, kinds, ModelOptions()).comparison.columns[0]
            #expect(
                abs(column.credit(column.units.count - 2) - 7.75) < 1e-9
                    && abs(column.credit(column.units.count - 1) - 2.25) < 1e-9)
            #expect(abs((column.ownTotals?[column.units.count - 2] ?? 0) - 6.25) < 1e-9)
        }
    }

    @Test func aModelThatNeedsTimesIsRefused() {
        #expect(throws: ImpactError.self) { try PathComparison.compare("none.csv", [.ihc], ModelOptions()) }
    }
}
