import Base
import Foundation
import Scoring
import Statistics
import Trees

/// What a response model is trained for.
package struct ResponseRequest: Sendable {
    package var columns: [ResponseColumn]
    /// One an outcome: 0 or 1 per row.
    package var outcomes: [(name: String, target: [Float])]
    /// One a row; nil: all weigh the same.
    package var weights: [Double]?
    /// One number per row: rows of one number, such as those of a customer, stay in one part of every split.
    package var clusters: [Int]?
    /// What was done on the way here that the report should say.
    package var notes: [String] = []
    /// Learners to compare; the best by `metric` is kept.
    package var learners: [ResponseLearner] = ResponseLearner.allCases
    package var metric = "f1"
    package var folds = 5
    package var validationShare = 0.15
    package var testShare = 0.15
    package var seed: UInt64 = 42
    package var settings = ResponseSettings()
    /// nil: what each learner needs.
    package var preprocessing: PreprocessingOptions?
    /// Rows that are drawn by hand instead of from the seed.
    package var split: RowSplit?
    package var adThresholds: [Double]
    package var replicates = 200
    package var level = 0.95

    package init(columns: [ResponseColumn], outcomes: [(name: String, target: [Float])]) {
        self.columns = columns
        self.outcomes = outcomes
        adThresholds = .init(repeating: Model.usualAdThreshold, count: outcomes.count)
    }
}

/// A learner's standing in cross-validation: means over folds and outcomes.
package struct LearnerComparison: Sendable {
    package var learner: ResponseLearner
    package var metrics: [String: Double]
    /// The standard deviation of the selection metric over folds.
    package var spread: Double
    package var seconds: Double
}

/// What is known of one outcome's model.
package struct OutcomeResult: Sendable {
    package var name: String
    package var fit: ResponseFit
    /// Chosen on validation rows alone.
    package var threshold: Double
    package var validation: ClassificationMetrics
    package var test: ClassificationMetrics
    package var intervals: [String: Interval]
    package var calibration: [ScoredRows.Bin]
    package var scored: ScoredRows
    /// Columns that alone tell the outcome, and why.
    package var suspects: [String]
    /// For linear models, the standard deviation of each column that it sees, on the training rows.
    package var spreads: [Double]
    /// What predicting the event for everybody gives on the test rows.
    package var everybody: ClassificationMetrics
    package var importance: [FeatureImportance]
}

/// How much a feature (of the row, before preprocessing) matters to a model.
package struct FeatureImportance: Sendable {
    package var name: String
    /// How much the ROC AUC on the test rows falls when the feature's values are shuffled among rows.
    package var permutation: Double
    /// Share of the trees' gains; nil for linear models.
    package var gain: Double?
    /// Pearson's correlation with the outcome over rows that have a value; nil for categories.
    package var correlation: Double?
}

/// A trained response model: everything that goes into the report and the model file.
package struct ResponseResult: Sendable {
    package var request: ResponseRequest
    package var split: RowSplit
    package var comparison: [LearnerComparison]
    package var learner: ResponseLearner
    package var preprocessing: Preprocessing
    package var outcomes: [OutcomeResult]
    package var seconds: Double

    /// The names of the columns that the model's parts see.
    package var columnNames: [String] { preprocessing.outputNames(request.columns.map(\.name)) }
}

/// Trains response models: split, cross-validation of the learners, early stopping and threshold on validation rows, and a
/// verdict on test rows that nothing else has looked at.
package enum ResponseTrainer {
    /// - Throws: `one_class` when an outcome does not occur, or always does; `too_few_rows`.
    package static func train(
        _ asked: ResponseRequest, progress: (String) -> Void = { _ in }
    ) throws(ImpactError) -> ResponseResult {
        let start = ContinuousClock.now
        var request = asked
        try check(request)
        let strata = strata(request)
        let split =
            request.split
            ?? RowSplit(
                strata: strata, clusters: request.clusters, validation: request.validationShare,
                test: request.testShare,
                seed: request.seed)
        for outcome in request.outcomes {
            for (name, rows) in [("training", split.train), ("validation", split.validation), ("test", split.test)] {
                let positives = rows.count { outcome.target[$0] > 0 }
                guard positives > 0, positives < rows.count else {
                    throw ImpactError(
                        .badInput, code: "one_class",
                        "of the \(rows.count) \(name) rows \(positives) have '\(outcome.name)': both classes are needed; "
                            + "give more rows or other shares (--validation, --test)"
                            + (request.clusters.map {
                                "; the rows of one customer stay together, and there are \(Set($0).count) customers "
                                    + "(--ignore instead of --id when the column names something else)"
                            } ?? ""))
                }
            }
        }
        request.settings.hasRareTexts = request.columns.contains { isRare($0, split.train, request.settings.leafRows) }
        var comparison: [LearnerComparison] = []
        for learner in request.learners {
            progress("cross-validation: \(learner.rawValue)")
            comparison.append(crossValidate(learner, request, split, strata))
        }
        let isLarge = ClassificationMetrics.isBetterLarge(request.metric)
        let best = comparison.max { a, b in
            let (x, y) = (a.metrics[request.metric] ?? .nan, b.metrics[request.metric] ?? .nan)
            return isLarge ? x < y : x > y
        }
        let learner = best?.learner ?? request.learners[0]
        progress("fitting: \(learner.rawValue)")
        let preprocessing = Preprocessing(
            request.columns, rows: split.train, options: request.preprocessing ?? learner.usualPreprocessing)
        let columns = preprocessing.transform(request.columns)
        var outcomes: [OutcomeResult] = []
        for outcome in request.outcomes {
            outcomes.append(result(outcome, learner, columns, preprocessing, split, request))
        }
        let elapsed = ContinuousClock.now - start
        return ResponseResult(
            request: request, split: split, comparison: comparison, learner: learner, preprocessing: preprocessing,
            outcomes: outcomes,
            seconds: Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18)
    }

    /// Whether a category has many texts, most of which have fewer training rows than a leaf needs.
    private static func isRare(_ column: ResponseColumn, _ rows: [Int], _ least: Int) -> Bool {
        guard let levels = column.levels, levels.count > 32 else { return false }
        var counts = [Int](repeating: 0, count: levels.count)
        for row in rows where !column.values[row].isNaN { counts[Int(column.values[row])] += 1 }
        let seen = counts.filter { $0 > 0 }
        return seen.count { $0 < least } * 2 > seen.count
    }

    private static func check(_ request: ResponseRequest) throws(ImpactError) {
        let rows = request.columns.first?.values.count ?? 0
        guard rows >= 40 else {
            throw ImpactError(
                .badInput, code: "too_few_rows",
                "\(rows) rows are too few to train, choose and judge on: 40 at the least")
        }
        guard ClassificationMetrics.names.contains(request.metric) else {
            throw ImpactError(
                .usage, code: "unknown_metric",
                "there is no metric '\(request.metric)'; select by one of "
                    + ClassificationMetrics.names.joined(separator: ", "))
        }
    }

    /// Rows are stratified by all outcomes together while these are few.
    private static func strata(_ request: ResponseRequest) -> [Int] {
        let rows = request.columns.first?.values.count ?? 0
        return (0..<rows).map { row in
            request.outcomes.prefix(4).reduce(0) { $0 * 2 + ($1.target[row] > 0 ? 1 : 0) }
        }
    }

    /// Folds of the training rows: each is scored by a model of the others, whose threshold is chosen on a part of them.
    private static func crossValidate(
        _ learner: ResponseLearner, _ request: ResponseRequest, _ split: RowSplit, _ strata: [Int]
    ) -> LearnerComparison {
        let start = ContinuousClock.now
        let folds = max(2, request.folds)
        let fold = RowSplit.folds(
            split.train, strata: strata, clusters: request.clusters, folds: folds, seed: request.seed)
        var sums: [String: Double] = [:]
        var selected: [Double] = []
        for number in 0..<folds {
            let held = split.train.indices.filter { fold[$0] == number }.map { split.train[$0] }
            let others = split.train.indices.filter { fold[$0] != number }.map { split.train[$0] }
            let inner = RowSplit(
                strata: others.map { strata[$0] }, clusters: request.clusters.map { all in others.map { all[$0] } },
                validation: 0.2, test: 0, seed: request.seed &+ UInt64(number))
            let (fitted, choosing) = (inner.train.map { others[$0] }, inner.validation.map { others[$0] })
            let preprocessing = Preprocessing(
                request.columns, rows: fitted, options: request.preprocessing ?? learner.usualPreprocessing)
            let columns = preprocessing.transform(request.columns)
            var total = 0.0
            for outcome in request.outcomes {
                let fit = learner.fit(
                    columns, target: outcome.target, rows: fitted, stopping: choosing, weights: request.weights,
                    settings: request.settings)
                let threshold = scored(fit.predict(columns, rows: choosing), choosing, outcome.target, request)
                    .bestThreshold(thresholdMetric(request.metric))
                let metrics = scored(fit.predict(columns, rows: held), held, outcome.target, request)
                    .metrics(threshold: threshold)
                for name in ClassificationMetrics.names { sums[name, default: 0] += metrics[name] ?? .nan }
                total += metrics[request.metric] ?? .nan
            }
            selected.append(total / Double(request.outcomes.count))
        }
        let count = Double(folds * request.outcomes.count)
        let elapsed = ContinuousClock.now - start
        return LearnerComparison(
            learner: learner, metrics: sums.mapValues { $0 / count },
            spread: Bootstrap.Spread(selected, level: 0.95)?.standardError ?? .nan,
            seconds: Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18)
    }

    /// Predictions of rows of the table, with the rows' weights and clusters.
    private static func scored(
        _ probability: [Double], _ rows: [Int], _ target: [Float], _ request: ResponseRequest
    ) -> ScoredRows {
        ScoredRows(
            probability: probability, isPositive: rows.map { target[$0] > 0 },
            weights: request.weights.map { all in rows.map { all[$0] } },
            clusters: request.clusters.map { all in rows.map { all[$0] } })
    }

    /// Metrics that do not depend on a threshold leave it to F1.
    private static func thresholdMetric(_ metric: String) -> String { metric == "accuracy" ? metric : "f1" }

    private static func result(
        _ outcome: (name: String, target: [Float]), _ learner: ResponseLearner, _ columns: [[Float]],
        _ preprocessing: Preprocessing, _ split: RowSplit, _ request: ResponseRequest
    ) -> OutcomeResult {
        let fit = learner.fit(
            columns, target: outcome.target, rows: split.train, stopping: split.validation, weights: request.weights,
            settings: request.settings)
        func scored(_ rows: [Int]) -> ScoredRows {
            Self.scored(fit.predict(columns, rows: rows), rows, outcome.target, request)
        }
        let validation = scored(split.validation)
        let threshold = validation.bestThreshold(thresholdMetric(request.metric))
        let test = scored(split.test)
        let everybody = Self.scored(
            [Double](repeating: 1, count: split.test.count), split.test, outcome.target, request)
        return OutcomeResult(
            name: outcome.name, fit: fit, threshold: threshold, validation: validation.metrics(threshold: threshold),
            test: test.metrics(threshold: threshold),
            intervals: test.intervals(
                threshold: threshold, replicates: request.replicates, seed: request.seed, level: request.level),
            calibration: test.calibration(level: request.level), scored: test,
            suspects: ResponseSuspects.find(outcome, request.columns, rows: split.train),
            spreads: fit.linear.map { _ in columns.map { spread($0, split.train) } } ?? [],
            everybody: everybody.metrics(threshold: 0.5),
            importance: importance(
                outcome, fit, columns, preprocessing, split, test.metrics(threshold: threshold), request)
        )
    }

    private static func importance(
        _ outcome: (name: String, target: [Float]), _ fit: ResponseFit, _ columns: [[Float]],
        _ preprocessing: Preprocessing, _ split: RowSplit, _ metrics: ClassificationMetrics, _ request: ResponseRequest
    ) -> [FeatureImportance] {
        let origin = preprocessing.inputOfOutput
        var gains: [Double]?
        if let ensemble = fit.ensemble {
            var sums = [Double](repeating: 0, count: request.columns.count)
            for (input, gain) in zip(origin, ensemble.gainImportance) { sums[input] += gain }
            gains = sums
        }
        // At most 20,000 rows: a permutation costs a prediction of each.
        let rows = Array(split.test.prefix(20_000))
        let own = rows.map { row in columns.map { $0[row] } }
        func area(_ table: [[Float]]) -> Double {
            let transposed = columns.indices.map { column in table.map { $0[column] } }
            let probability = fit.predict(transposed, rows: Array(rows.indices))
            return scored(probability, rows, outcome.target, request).metrics(threshold: 0.5).rocAUC
        }
        let whole = area(own)
        var random = RandomStream(seed: request.seed, lane: 0x1149)
        return request.columns.indices.map { input in
            var falls: [Double] = []
            for _ in 0..<3 {
                var order = Array(rows.indices)
                RowSplit.shuffle(&order, &random)
                var table = own
                for (row, other) in order.enumerated() {
                    for column in columns.indices where origin[column] == input {
                        table[row][column] = own[other][column]
                    }
                }
                falls.append(whole - area(table))
            }
            let column = request.columns[input]
            return FeatureImportance(
                name: column.name, permutation: falls.reduce(0, +) / 3, gain: gains?[input],
                correlation: column.levels == nil ? correlation(column.values, outcome.target, split.train) : nil)
        }
    }

    private static func spread(_ column: [Float], _ rows: [Int]) -> Double {
        let n = Double(max(1, rows.count))
        let mean = rows.reduce(0.0) { $0 + Double(column[$1]) } / n
        return (rows.reduce(0.0) { $0 + (Double(column[$1]) - mean) * (Double(column[$1]) - mean) } / n).squareRoot()
    }

    private static func correlation(_ x: [Float], _ y: [Float], _ rows: [Int]) -> Double {
        let known = rows.filter { !x[$0].isNaN }
        let n = Double(known.count)
        guard n > 2 else { return .nan }
        let meanX = known.reduce(0.0) { $0 + Double(x[$1]) } / n
        let meanY = known.reduce(0.0) { $0 + Double(y[$1]) } / n
        var (xx, yy, xy) = (0.0, 0.0, 0.0)
        for row in known {
            let (a, b) = (Double(x[row]) - meanX, Double(y[row]) - meanY)
            xx += a * a
            yy += b * b
            xy += a * b
        }
        return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : .nan
    }
}
