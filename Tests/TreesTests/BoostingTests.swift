import Statistics
import TestSupport
import Testing
import Trees

/// A data set with steps, an interaction and missing values.
struct TreeData {
    var columns: [[Float]] = []
    var target: [Float] = []
    var probability: [Double] = []

    init(rows: Int, features: Int, seed: UInt64, missing: Double = 0.1) {
        var random = RandomStream(seed: seed, lane: 1)
        columns = .init(repeating: [], count: features)
        for _ in 0..<rows {
            var row = (0..<features).map { Float($0 % 3 == 2 ? (random.normal() * 2).rounded() : random.normal()) }
            let x = Double(row[0])
            let score = (x > 0.3 ? 1.0 : -0.7) + Double(row[1]) * (x > 0 ? 0.8 : -0.4) + (row[2] == 1 ? 0.9 : 0)
            let p = Logistic.sigmoid(score)
            probability.append(p)
            target.append(random.happens(p) ? 1 : 0)
            for index in row.indices where random.happens(missing) { row[index] = .nan }
            for index in row.indices { columns[index].append(row[index]) }
        }
    }

    func row(_ index: Int) -> [Float] { columns.map { $0[index] } }

    /// Area under the ROC curve of scores for the target.
    func auc(_ scores: [Float]) -> Double {
        let order = scores.indices.sorted { scores[$0] < scores[$1] }
        var (rankSum, positives) = (0.0, 0.0)
        for (rank, row) in order.enumerated() where target[row] > 0 {
            rankSum += Double(rank + 1)
            positives += 1
        }
        return (rankSum - positives * (positives + 1) / 2) / (positives * (Double(scores.count) - positives))
    }
}

@Suite struct BoostingTests {
    private func settings(threads: Int = 1) -> BoostingSettings {
        var settings = BoostingSettings()
        settings.loss = .logistic
        settings.trees = 40
        settings.threads = threads
        return settings
    }

    @Test func threadsDoNotMatter() {
        let data = TreeData(rows: 40_000, features: 19, seed: SeededGenerator.announced().seed)
        var all: [TreeEnsemble] = []
        for threads in [1, 2, 3] {
            let matrix = BinnedMatrix(columns: data.columns, threads: threads)
            var settings = settings(threads: threads)
            settings.columnShare = 0.7
            settings.rowShare = 0.8
            let ensemble = data.target.withUnsafeBufferPointer {
                GradientBoosting.fit(matrix, target: $0, settings: settings)
            }
            all.append(ensemble)
        }
        #expect(all[0] == all[1])
        #expect(all[0] == all[2])
    }

    /// The thresholds send every training row where its bins sent it.
    @Test func thresholdsAgreeWithBins() {
        let data = TreeData(rows: 5_000, features: 7, seed: SeededGenerator.announced().seed)
        let matrix = BinnedMatrix(columns: data.columns)
        let ensemble = data.target.withUnsafeBufferPointer {
            GradientBoosting.fit(matrix, target: $0, settings: settings())
        }
        let fast = ensemble.margins(matrix, threads: 2)
        for row in 0..<matrix.rows {
            let plain = data.row(row).withUnsafeBufferPointer { ensemble.margin($0.baseAddress!) }
            #expect(abs(plain - Double(fast[row])) < 1e-4)
        }
    }

    @Test func learnsAndStopsEarly() {
        let data = TreeData(rows: 20_000, features: 6, seed: SeededGenerator.announced().seed)
        let matrix = BinnedMatrix(columns: data.columns, threads: 2)
        let validation = (0..<UInt32(20_000)).filter { $0 % 4 == 0 }
        var settings = settings(threads: 2)
        settings.trees = 400
        settings.patience = 15
        let ensemble = data.target.withUnsafeBufferPointer {
            GradientBoosting.fit(matrix, target: $0, validation: validation, settings: settings)
        }
        #expect(ensemble.trees.count < 400)
        #expect(ensemble.trees.count > 10)
        #expect(ensemble.gainImportance.prefix(3).reduce(0, +) > 0.8)
        var held = TreeData(rows: 0, features: 6, seed: 1)
        held.target = validation.map { data.target[Int($0)] }
        let scores = ensemble.margins(matrix, rows: validation)
        let oracle = validation.map { Float(data.probability[Int($0)]) }
        // Missing values hide a part of what decides.
        #expect(held.auc(scores) > held.auc(oracle) - 0.06)
    }

    /// The first tree's root split is the best one by a plain search over every value.
    @Test func firstSplitIsTheBestOne() {
        let data = TreeData(rows: 400, features: 4, seed: SeededGenerator.announced().seed, missing: 0.2)
        let matrix = BinnedMatrix(columns: data.columns)
        var settings = settings()
        settings.loss = .squared
        settings.trees = 1
        settings.learningRate = 1
        settings.limits.leaves = 2
        settings.limits.rows = 20
        settings.limits.l2 = 0.5
        let tree = data.target.withUnsafeBufferPointer {
            GradientBoosting.fit(matrix, target: $0, settings: settings)
        }.trees[0]
        let mean = Double(data.target.reduce(0, +)) / 400
        var best = 0.0
        for column in data.columns {
            let values = Set(column.filter { !$0.isNaN })
            for missingLeft in [false, true] {
                for cut in values {
                    var (g, n) = ([0.0, 0.0], [0.0, 0.0])
                    for (x, y) in zip(column, data.target) {
                        let side = (x.isNaN ? missingLeft : x <= cut) ? 0 : 1
                        g[side] += mean - Double(y)
                        n[side] += 1
                    }
                    guard n[0] >= 20, n[1] >= 20 else { continue }
                    let all = g[0] + g[1]
                    best = max(best, (g[0] * g[0] / (n[0] + 0.5) + g[1] * g[1] / (n[1] + 0.5) - all * all / 400.5) / 2)
                }
            }
        }
        // Gradients are rounded to integers: the gain agrees to several digits.
        #expect(abs(tree.gain[0] - best) < 1e-3 * best, "\(tree.gain[0]) against \(best)")
    }

    @Test func crossFittingNeverSeesItsOwnFold() {
        // A feature that tells each row from all others: whoever has seen a row knows its target.
        var random = RandomStream(seed: SeededGenerator.announced().seed, lane: 3)
        let target = (0..<2_000).map { _ in Float(random.happens(0.5) ? 1 : 0) }
        let matrix = BinnedMatrix(columns: [(0..<2_000).map { Float($0) }])
        var settings = settings()
        settings.limits.rows = 1
        settings.limits.leaves = 255
        let fold = (0..<2_000).map { UInt8($0 % 5) }
        let predicted = target.withUnsafeBufferPointer {
            GradientBoosting.crossFit(matrix, target: $0, fold: fold, folds: 5, settings: settings)
        }
        var data = TreeData(rows: 0, features: 1, seed: 1)
        data.target = target
        #expect(abs(data.auc(predicted) - 0.5) < 0.06)
        #expect(predicted.allSatisfy { $0 > 0 && $0 < 1 })
    }
}

@Suite struct RandomForestTests {
    @Test func threadsDoNotMatterAndOutOfBagIsHonest() {
        let data = TreeData(rows: 6_000, features: 6, seed: SeededGenerator.announced().seed)
        let matrix = BinnedMatrix(columns: data.columns)
        var settings = RandomForestSettings()
        settings.trees = 60
        let fits = [1, 2, 8].map { threads in
            settings.threads = threads
            return data.target.withUnsafeBufferPointer { RandomForest.fit(matrix, target: $0, settings: settings) }
        }
        for fit in fits.dropFirst() {
            #expect(fits[0].ensemble == fit.ensemble)
            #expect(zip(fits[0].outOfBag, fit.outOfBag).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
        }
        let own = fits[0].ensemble.margins(matrix)
        #expect(own.allSatisfy { $0 >= 0 && $0 <= 1.0001 })
        #expect(data.auc(own) > data.auc(fits[0].outOfBag))
        #expect(data.auc(fits[0].outOfBag) > data.auc(data.probability.map { Float($0) }) - 0.08)
    }
}

@Suite struct BinTests {
    @Test func binsKeepTheOrderAndShareTheRows() {
        let seed = SeededGenerator.announced().seed
        var random = RandomStream(seed: seed, lane: 9)
        let values = (0..<30_000).map { _ in random.happens(0.2) ? Float(0) : Float(random.logNormal(sigma: 2)) }
        let matrix = BinnedMatrix(columns: [values])
        var counts = [Int](repeating: 0, count: 256)
        for row in 0..<values.count { counts[Int(matrix.bin(row: row, feature: 0))] += 1 }
        #expect(counts[0] == 0)
        #expect(matrix.edges[0].binCount > 200)
        let zeros = counts.max() ?? 0
        #expect(zeros > 5_000)
        #expect(counts.filter { $0 != zeros }.max() ?? 0 < 400, "seed \(seed)")
        for _ in 0..<10_000 {
            let (a, b) = (random.below(values.count), random.below(values.count))
            if values[a] < values[b] { #expect(matrix.bin(row: a, feature: 0) <= matrix.bin(row: b, feature: 0)) }
        }
    }

    @Test func fewValuesGetABinEach() {
        let values: [Float] = [3, .nan, 1, 2, 2, .infinity, -.infinity, -0.0, 0]
        let matrix = BinnedMatrix(columns: [values])
        #expect((0..<9).map { matrix.bin(row: $0, feature: 0) } == [5, 0, 3, 4, 4, 6, 1, 2, 2])
        #expect(matrix.threshold(feature: 0, left: 3, right: 4) == 1.5)
    }
}
