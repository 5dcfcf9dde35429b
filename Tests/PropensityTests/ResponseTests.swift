import Base
import Foundation
import Propensity
import Scoring
import Statistics
import Terminal
import TestSupport
import Testing
import Trees

/// A shop: who buys follows from time, pages and a category.
private struct Shop {
    var columns: [ResponseColumn]
    var outcomes: [(name: String, target: [Float])]

    init(rows: Int, seed: UInt64) {
        var random = RandomStream(seed: seed, lane: 1)
        var (time, pages, device, buys, returns): ([Float], [Float], [Float], [Float], [Float]) = ([], [], [], [], [])
        for _ in 0..<rows {
            let minutes = random.exponential(mean: 20)
            let viewed = Double(random.geometric(continue: 0.8, limit: 30))
            let kind = random.below(3)
            let score = 0.05 * minutes + 0.1 * viewed - 2 + (kind == 1 ? 1.0 : 0)
            buys.append(random.happens(Logistic.sigmoid(score)) ? 1 : 0)
            returns.append(random.happens(Logistic.sigmoid(-score / 2)) ? 1 : 0)
            time.append(random.happens(0.1) ? .nan : Float(minutes))
            pages.append(random.happens(0.1) ? .nan : Float(viewed))
            device.append(random.happens(0.1) ? .nan : Float(kind))
        }
        columns = [
            ResponseColumn(name: "time", values: time), ResponseColumn(name: "pages", values: pages),
            ResponseColumn(name: "device", values: device, levels: ["Mobile", "Desktop", "Tablet"]),
        ]
        outcomes = [("buys", buys), ("returns", returns)]
    }
}

@Suite struct ResponseTests {
    private func request(_ learners: [ResponseLearner], rows: Int = 1_500, outcomes: Int = 1) -> ResponseRequest {
        let shop = Shop(rows: rows, seed: SeededGenerator.announced().seed)
        var request = ResponseRequest(columns: shop.columns, outcomes: Array(shop.outcomes.prefix(outcomes)))
        request.learners = learners
        request.folds = 3
        request.replicates = 50
        request.settings.trees = 60
        request.settings.threads = 2
        return request
    }

    /// The file scores what training predicted, alone and in a batch, and the route says the same.
    @Test(arguments: ResponseLearner.allCases)
    func fileScoresWhatWasTrained(_ learner: ResponseLearner) throws {
        let request = request([learner], outcomes: 2)
        let result = try ResponseTrainer.train(request)
        #expect(result.learner == learner)
        let path = NSTemporaryDirectory() + "/response-\(UUID().uuidString).model"
        defer { unlink(path) }
        let digest = try result.write(to: path, name: "shop", version: "1", provenance: "{}")
        #expect(digest == (try result.write(to: path, name: "shop", version: "1", provenance: "{}")))
        let model = try Model.open(path: path)
        #expect(model.isResponse && model.predictsProbabilities && model.outcomes == ["buys", "returns"])
        let columns = result.preprocessing.transform(request.columns)
        let rows = Array(0..<200)
        let api = try PredictAPI(model)
        for (outcome, fitted) in result.outcomes.enumerated() {
            let wanted = fitted.fit.predict(columns, rows: rows)
            let scorer = Scorer(model: model, maxRows: 256)
            var table = [Float](repeating: 0, count: 200 * model.rowStride)
            for row in rows {
                for (feature, column) in request.columns.enumerated() {
                    let value = column.values[row]
                    let text = value.isNaN ? nil : column.levels?[Int(value)]
                    table[row * model.rowStride + feature] =
                        text.map { model.code(feature: feature, text: $0) ?? .nan } ?? value
                }
            }
            var batch = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: 400)
            scorer.score(rows: table, stride: model.rowStride, count: 200, into: &batch)
            for row in rows {
                #expect(batch[row * 2 + outcome].effect == wanted[row])
                var alone = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: 2)
                Array(table[row * model.rowStride..<(row + 1) * model.rowStride]).withUnsafeBufferPointer {
                    _ = scorer.score(rows: $0.baseAddress!, stride: model.rowStride, count: 1, into: &alone)
                }
                #expect(alone[outcome].effect == wanted[row])
            }
            guard outcome == 0 else { continue }
            let row = rows.first { row in request.columns.allSatisfy { !$0.values[row].isNaN } } ?? 0
            let device = request.columns[2].levels?[Int(request.columns[2].values[row])] ?? ""
            let body =
                #"{"customer_id":"c-1","time":\#(request.columns[0].values[row]),"#
                + #""pages":\#(request.columns[1].values[row]),"device":"\#(device)"}"#
            let answer = try api.predict(Array(body.utf8)).line
            #expect(answer.contains("\"purchase_probability\":\(wanted[row])"), "\(answer)")
        }
    }

    @Test func theSameSeedGivesTheSameFile() throws {
        var request = request([.boosted])
        var digests: Set<String> = []
        for threads in [1, 2] {
            request.settings.threads = threads
            let path = NSTemporaryDirectory() + "/response-\(UUID().uuidString).model"
            defer { unlink(path) }
            digests.insert(
                try ResponseTrainer.train(request).write(to: path, name: "a", version: "1", provenance: "{}"))
        }
        #expect(digests.count == 1)
    }

    /// What test rows hold changes no coefficient, no threshold and no preprocessing.
    @Test func testRowsAreOnlyJudged() throws {
        var request = request([.logistic])
        let split = RowSplit(
            strata: request.outcomes[0].target.map { Int($0) }, validation: 0.15, test: 0.15, seed: request.seed)
        request.split = split
        let first = try ResponseTrainer.train(request)
        for row in split.test {
            request.columns[0].values[row] = -1_000
            request.columns[1].values[row] = .nan
        }
        let second = try ResponseTrainer.train(request)
        #expect(first.preprocessing == second.preprocessing)
        #expect(first.outcomes[0].fit.linear == second.outcomes[0].fit.linear)
        #expect(first.outcomes[0].threshold == second.outcomes[0].threshold)
    }

    @Test("rows of one customer stay in one part of the split, and in one fold")
    func clusters() {
        let seed = SeededGenerator.announced().seed
        var random = RandomStream(seed: seed, lane: 3)
        let clusters = (0..<900).map { _ in random.below(300) }
        let strata = (0..<900).map { _ in random.happens(0.3) ? 1 : 0 }
        let split = RowSplit(strata: strata, clusters: clusters, validation: 0.2, test: 0.2, seed: seed)
        let parts = [split.train, split.validation, split.test].map { Set($0.map { clusters[$0] }) }
        #expect(parts[0].isDisjoint(with: parts[1]) && parts[0].isDisjoint(with: parts[2]))
        #expect(parts[1].isDisjoint(with: parts[2]) && !parts[1].isEmpty && !parts[2].isEmpty)
        #expect((split.train + split.validation + split.test).sorted() == Array(0..<900))
        let folds = RowSplit.folds(split.train, strata: strata, clusters: clusters, folds: 4, seed: seed)
        var foldOf: [Int: Set<Int>] = [:]
        for (row, fold) in zip(split.train, folds) { foldOf[clusters[row], default: []].insert(fold) }
        #expect(foldOf.values.allSatisfy { $0.count == 1 } && Set(folds).count == 4)
    }

    @Test("a row of weight 2 is two rows, in the fit and in every metric")
    func weights() throws {
        let shop = Shop(rows: 600, seed: SeededGenerator.announced().seed)
        let twice = (0..<600).map { $0 % 3 == 0 }
        let double = Array(0..<600) + (0..<600).filter { twice[$0] }
        let columns = shop.columns.prefix(2).map { $0.values.map { $0.isNaN ? 0 : $0 / 20 } }
        let target = shop.outcomes[0].target
        let weighted = ResponseLearner.logistic.fit(
            columns, target: target, rows: Array(0..<600), stopping: [], weights: twice.map { $0 ? 2 : 1 },
            settings: ResponseSettings())
        let repeated = ResponseLearner.logistic.fit(
            columns, target: target, rows: double.sorted(), stopping: [], settings: ResponseSettings())
        let (a, b) = (try #require(weighted.linear), try #require(repeated.linear))
        for (x, y) in zip(a.coefficients, b.coefficients) { #expect(abs(x - y) < 1e-9) }
        let p = weighted.predict(columns, rows: Array(0..<600))
        let one = ScoredRows(
            probability: p, isPositive: target.map { $0 > 0 }, weights: twice.map { $0 ? 2 : 1 })
        let two = ScoredRows(probability: double.map { p[$0] }, isPositive: double.map { target[$0] > 0 })
        #expect(one.bestThreshold("f1") == two.bestThreshold("f1"))
        let (m, n) = (one.metrics(threshold: 0.4), two.metrics(threshold: 0.4))
        for name in ClassificationMetrics.names { #expect(abs((m[name] ?? 0) - (n[name] ?? 1)) < 1e-9, "\(name)") }
    }

    @Test("a calibration bin holds all rows of a probability, whatever their order")
    func calibrationTies() {
        let probability = (0..<100).map { $0 < 37 ? 0.2 : $0 < 61 ? 0.5 : 0.9 }
        let isPositive = (0..<100).map { $0 % 2 == 0 }
        let bins = ScoredRows(probability: probability, isPositive: isPositive).calibration()
        #expect(bins.map(\.rows) == [37, 24, 39])
        let back = Array((0..<100).reversed())
        let other = ScoredRows(probability: back.map { probability[$0] }, isPositive: back.map { isPositive[$0] })
        #expect(other.calibration().map(\.observed) == bins.map(\.observed))
    }

    @Test(
        "of many texts the most frequent of the training rows are kept, the others are unknown, and the report says so")
    func manyTexts() throws {
        var request = request([.logistic], rows: 3_000)
        var random = RandomStream(seed: 5, lane: 1)
        let codes = (0..<3_000).map { _ in Float(random.geometric(continue: 0.995, limit: 399)) }
        request.columns.append(ResponseColumn(name: "city", values: codes, levels: (0..<400).map { "c\($0)" }))
        let result = try ResponseTrainer.train(request)
        let kept = try #require(result.preprocessing.inputs[3].levels)
        #expect(kept.count == Preprocessing.mostLevels)
        var counts: [String: Int] = [:]
        for row in result.split.train { counts["c\(Int(codes[row]))", default: 0] += 1 }
        let least = kept.map { counts[$0] ?? 0 }.min() ?? 0
        #expect(counts.filter { !kept.contains($0.key) }.allSatisfy { $0.value <= least })
        #expect(result.notes.contains { $0.contains("'city' has 400 texts") })
    }

    @Test("boosted trees tell rare texts of a category apart")
    func rareTexts() throws {
        var random = RandomStream(seed: SeededGenerator.announced().seed, lane: 9)
        let codes = (0..<3_000).map { _ in Float(random.below(200)) }
        let target = codes.map { code -> Float in random.happens(Int(code) % 2 == 0 ? 0.8 : 0.2) ? 1 : 0 }
        var request = ResponseRequest(
            columns: [ResponseColumn(name: "city", values: codes, levels: (0..<200).map { "c\($0)" })],
            outcomes: [("y", target)])
        request.learners = [.boosted]
        (request.folds, request.replicates) = (2, 5)
        let result = try ResponseTrainer.train(request)
        // .8 is what the texts themselves give; a leaf of 20 rows gave .53.
        #expect(result.outcomes[0].test.rocAUC > 0.7, "\(result.outcomes[0].test.rocAUC)")
        #expect(result.notes.contains { $0.contains("--leaf") })
    }

    @Test("a column that tells the outcome by itself is named; so is one whose presence does; honest ones are not")
    func suspects() throws {
        var request = request([.logistic])
        let target = request.outcomes[0].target
        #expect(try ResponseTrainer.train(request).outcomes[0].suspects.isEmpty)
        request.columns.append(ResponseColumn(name: "refund", values: target.map { 3 - 2 * $0 }))
        request.columns.append(ResponseColumn(name: "delivered", values: target.map { $0 > 0 ? 4 : .nan }))
        request.columns.append(ResponseColumn(name: "status", values: target, levels: ["open", "paid"]))
        let result = try ResponseTrainer.train(request)
        #expect(result.outcomes[0].suspects.count == 3)
        for name in ["refund", "delivered", "status"] {
            #expect(result.notes.contains { $0.contains("'\(name)' alone tells who has 'buys'") })
        }
    }

    @Test func splitIsStratifiedAndComplete() {
        let seed = SeededGenerator.announced().seed
        let strata = (0..<1_000).map { $0 % 5 == 0 ? 1 : 0 }
        let split = RowSplit(strata: strata, validation: 0.15, test: 0.15, seed: seed)
        #expect((split.train + split.validation + split.test).sorted() == Array(0..<1_000))
        for part in [split.validation, split.test] {
            #expect(part.count == 150)
            #expect(part.count { strata[$0] == 1 } == 30)
        }
        #expect(RowSplit(strata: strata, validation: 0.15, test: 0.15, seed: seed) == split)
    }

    @Test func contributionsAddUpToTheLogOdds() throws {
        let request = request([.logistic])
        let result = try ResponseTrainer.train(request)
        let path = NSTemporaryDirectory() + "/response-\(UUID().uuidString).model"
        defer { unlink(path) }
        _ = try result.write(to: path, name: "a", version: "1", provenance: "{}")
        let model = try Model.open(path: path)
        for row: [Float] in [[12, 3, 1], [.nan, 7, .nan], [90, .nan, 9]] {
            let (base, contributions) = try #require(model.linearContributions(part: 0, row: row))
            var padded = row + [Float](repeating: 0, count: model.rowStride - 3)
            var estimate = [Estimate(effect: 0, standardError: 0)]
            Scorer(model: model, maxRows: 1).score(rows: &padded, stride: model.rowStride, count: 1, into: &estimate)
            let margin = contributions.reduce(base, +)
            #expect(abs(Logistic.sigmoid(margin) - estimate[0].effect) < 1e-12)
        }
    }

    @Test func notesSayWhenEverybodyBuys() throws {
        var request = request([.logistic], rows: 800)
        // Of all random columns some are told from chance, as often as the interval's level says: these are not.
        request.columns = Shop(rows: 800, seed: 6).columns
        var random = RandomStream(seed: 5, lane: 1)
        request.outcomes[0].target = (0..<800).map { _ in random.happens(0.85) ? 1 : 0 }
        let result = try ResponseTrainer.train(request)
        let notes = result.notes.joined(separator: " ")
        #expect(notes.contains("everybody has 'buys'"))
        #expect(notes.contains("cannot be told from chance"))
        #expect(result.html(title: "t", facts: []).contains("everybody has"))
        #expect(result.text.contains("everybody"))
    }

    @Test func oneClassIsRefused() {
        var request = request([.logistic])
        request.outcomes[0].target = .init(repeating: 1, count: 1_500)
        #expect(throws: ImpactError.self) { _ = try ResponseTrainer.train(request) }
    }
}
