import Base
import CTraining
import Foundation
import Rows
import Scoring
import Trees

/// Rows that are ready to learn from: the features in bins, and a few numbers per row.
///
/// A file of up to 33 million values is read once. A larger one is read twice, for the bins' edges and into the bins: no more
/// than that many values stand in memory as they were read.
package final class TrainingData: Sendable {
    package let plan: TrainingPlan
    package let count: Int
    /// The features: the only copy of them.
    package let matrix: BinnedMatrix
    /// The values of the features, each the mean of its bin.
    package let features: [BinnedColumn]
    package let ranges: [FeatureRange]
    /// For features that are ranks of texts, the texts by rank: the most frequent first.
    package let levels: [[String]?]
    /// For each row its arm, 0 the control; empty when the treatment is a number.
    package let arms: [UInt8]
    /// The treatment when it is a number; else empty.
    package let treatment: FloatColumn
    package let outcomes: [FloatColumn]
    package let propensity: FloatColumn?
    /// With mean 1.
    package let weights: [Float]?
    /// Numbers from 0, and how many there are.
    package let clusters: [UInt32]?
    package let clusterCount: Int
    /// Rows of the file, and those left out by the column that decided so.
    package let rowsRead: Int
    package let dropped: [(column: String, rows: Int)]

    package var featureNames: [String] { plan.features.map(\.name) }
    package var armCount: Int { plan.arms?.count ?? 0 }
    /// q: effects an outcome.
    package var effects: Int { plan.effects.count }

    /// Values of features in memory while a file is read, and of those the rows at the least.
    package static let stagedValues = 1 << 25
    private static let leastStaged = 1 << 14

    /// - Parameter stagedValues: for tests.
    /// - Throws: what `RowReader` throws; `train_rows` when there is too little to learn from; `rows_changed`.
    package init(
        _ plan: TrainingPlan, path: String, threads: Int = Parallel.processors,
        stagedValues: Int = TrainingData.stagedValues,
        progress: (Int, Double?) throws(ImpactError) -> Void = { _, _ in }
    ) throws(ImpactError) {
        ctraining_return_memory()
        let (fields, width) = (plan.fields, plan.features.count)
        let staged = max(Self.leastStaged, stagedValues / max(1, width))
        let reader = try RowReader(path: path, fields: fields)
        let features = Array(reader.columns.suffix(width))
        var gathered = GatheredColumns(fields.dropLast(width))
        // Samples of all features together stay as large as a part.
        var ranges = [RunningRange](
            repeating: RunningRange(most: min(1 << 17, max(1 << 14, Self.stagedValues / max(1, width)))), count: width)
        var ranks = (0..<width).map { LevelRanks(plan.features[$0].field) }
        var parts = 0
        var isComplete = false
        while !isComplete, try Self.next(reader, staged, plan, isFirst: parts == 0, progress: progress) {
            parts += 1
            // A part that is not full is the last one, and stays in the columns.
            isComplete = (features.first?.count ?? 0) < staged
            try gathered.append(reader.columns)
            ranges.withUnsafeMutableBufferPointer { ranges in
                nonisolated(unsafe) let ranges = ranges  // each part writes its own element
                Parallel.forEach(width, threads: threads) { ranges[$0].add(features[$0].buffer) }
            }
            for feature in 0..<width { ranks[feature]?.count(features[feature].buffer) }
        }
        for feature in 0..<width {
            ranks[feature]?.rank(reader.levels[fields.count - width + feature])
            if let found = ranks[feature] { ranges[feature].recode(found.ranks, counts: found.counts) }
        }
        let count = gathered.count
        let edges = Self.edges(ranges, threads: threads)
        let matrix = BinnedMatrix(edges: edges, rows: count)
        if parts == 1, features.first?.count == count {
            for feature in 0..<width { ranks[feature]?.apply(features[feature]) }
            matrix.fill(features.map(\.buffer), at: 0, threads: threads)
        } else {
            try Self.fill(matrix, ranks, plan, path: path, staged: staged, threads: threads, progress: progress)
        }
        levels = ranks.map { $0?.levels }
        self.plan = plan
        self.count = count
        self.matrix = matrix
        self.features = (0..<width).map { BinnedColumn(matrix, $0) }
        self.ranges = ranges.map(\.range)
        treatment = plan.arms == nil ? gathered["treatment"]?.floats ?? FloatColumn() : FloatColumn()
        arms = gathered["treatment"]?.bytes ?? []
        outcomes = plan.outcomes.compactMap { gathered["outcome:\($0)"]?.floats }
        propensity = gathered["propensity"]?.floats
        if let weight = gathered["weight"]?.floats {
            let mean = weight.buffer.reduce(0) { $0 + Double($1) } / Double(max(1, count))
            weights = weight.buffer.map { Float(Double($0) / max(mean, .leastNormalMagnitude)) }
        } else {
            weights = nil
        }
        clusters = gathered["cluster"]?.numbers
        clusterCount = clusters.map { $0.max().map { Int($0) + 1 } ?? 0 } ?? 0
        rowsRead = reader.rowsRead
        let columns = Dictionary(fields.map { ($0.name, $0.column) }, uniquingKeysWith: { a, _ in a })
        dropped = reader.dropped.map { (columns[$0.key] ?? $0.key, $0.value) }.sorted { $0.column < $1.column }
        try check(path)
    }

    private static func next(
        _ reader: RowReader, _ most: Int, _ plan: TrainingPlan, isFirst: Bool,
        progress: (Int, Double?) throws(ImpactError) -> Void
    ) throws(ImpactError) -> Bool {
        if try reader.next(most, progress: progress) { return true }
        guard isFirst else { return false }
        let error = reader.nothingToUse
        guard plan.censored != nil else { throw error }
        throw ImpactError(
            .badInput, code: error.code,
            error.message
                + " (a row is censored while its outcome window is not over; a shorter --outcome-window of "
                + "`impactiq rows`, or later events, gives rows that can be used)")
    }

    private static func edges(_ ranges: [RunningRange], threads: Int) -> [BinEdges] {
        let found = Slots<BinEdges>(ranges.count)
        Parallel.forEach(ranges.count, threads: threads) { feature in
            found[feature] = ranges[feature].sample.withUnsafeBufferPointer { BinEdges(sample: $0) }
        }
        return found.values
    }

    /// The second reading of a large file.
    private static func fill(
        _ matrix: BinnedMatrix, _ ranks: [LevelRanks?], _ plan: TrainingPlan, path: String, staged: Int, threads: Int,
        progress: (Int, Double?) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        let changed = ImpactError(
            .badInput, code: "rows_changed", "\(path) changed while it was read; train on a file that nobody writes to")
        let reader = try RowReader(path: path, fields: plan.fields)
        let features = Array(reader.columns.suffix(plan.features.count))
        var first = 0
        while try reader.next(staged, progress: progress) {
            let read = features.first?.count ?? 0
            guard first + read <= matrix.rows else { throw changed }
            for feature in features.indices { ranks[feature]?.apply(features[feature]) }
            matrix.fill(features.map(\.buffer), at: first, threads: threads)
            first += read
        }
        guard first == matrix.rows else { throw changed }
    }

    private func check(_ path: String) throws(ImpactError) {
        func fault(_ message: String) -> ImpactError {
            ImpactError(.badInput, code: "train_rows", "\(path): \(message)")
        }
        let (least, leastOfArm) = (200, 20)
        guard count >= least else {
            throw fault("\(count) usable rows are too few; \(least) are the least, thousands are better")
        }
        if let names = plan.arms {
            var sizes = [Int](repeating: 0, count: names.count)
            for arm in arms { sizes[Int(arm)] += 1 }
            for (name, size) in zip(names, sizes) where size < leastOfArm {
                throw fault(
                    "arm '\(name)' has \(size) usable rows; \(leastOfArm) are the least; choose arms with --arm")
            }
        }
        if weights != nil {
            let column = plan.weight ?? ""
            let known = effectiveRows { _ in true }
            guard known >= Double(least) / 2 else {
                throw fault(
                    "the weights of '\(column)' leave what \(Int(known)) rows of equal weight would tell; "
                        + "\(least / 2) are the least")
            }
            for (arm, name) in (plan.arms ?? []).enumerated() {
                let known = effectiveRows { Int(arms[$0]) == arm }
                guard known >= Double(leastOfArm) / 2 else {
                    throw fault(
                        "the weights of '\(column)' leave arm '\(name)' what \(Int(known)) rows of equal weight would tell; "
                            + "\(leastOfArm / 2) are the least")
                }
            }
        }
        for (name, outcome) in zip(plan.outcomes, outcomes) {
            guard let first = outcome.buffer.first, outcome.buffer.contains(where: { $0 != first }) else {
                throw fault("the outcome '\(name)' is the same in every row")
            }
        }
        if clusters != nil, clusterCount < 20 { throw fault("fewer than 20 clusters are too few to learn from") }
    }

    /// How many rows of equal weight tell as much (Kish 1965): (Σ w)² / Σ w².
    package func effectiveRows(where isIn: (Int) -> Bool) -> Double {
        var (sum, squares) = (0.0, 0.0)
        for row in 0..<count where isIn(row) {
            let weight = Double(weight(row))
            sum += weight
            squares += weight * weight
        }
        return squares > 0 ? sum * sum / squares : 0
    }

    package func weight(_ row: Int) -> Float { weights?[row] ?? 1 }
}

/// The ranks of a feature's texts by how frequent they are, ties by name: no outcome has a say, rare texts stand together, and a
/// text that training has not seen ranks below the rarest. Names are no order: where they are (ages, sizes), texts are few and
/// become columns of their own.
private struct LevelRanks {
    private(set) var counts: [Int] = []
    /// For each code in the order of appearance its rank.
    private(set) var ranks: [Float] = []
    private(set) var levels: [String] = []

    /// nil when the field is not read as a level.
    init?(_ field: RowField) {
        guard case .level = field.reading else { return nil }
    }

    mutating func count(_ codes: UnsafeBufferPointer<Float>) {
        for code in codes where !code.isNaN {
            let index = Int(code)
            while counts.count <= index { counts.append(0) }
            counts[index] += 1
        }
    }

    mutating func rank(_ texts: [String]) {
        while counts.count < texts.count { counts.append(0) }
        let order = texts.indices.sorted { (counts[$1], texts[$0]) < (counts[$0], texts[$1]) }
        ranks = [Float](repeating: 0, count: texts.count)
        for (rank, code) in order.enumerated() { ranks[code] = Float(rank) }
        levels = order.map { texts[$0] }
    }

    /// Ranks in the place of codes.
    func apply(_ column: FloatColumn) {
        for row in 0..<column.count where !column.values[row].isNaN {
            // A file that changes while it is read may have new texts; its rows are refused later.
            let code = Int(column.values[row])
            column.values[row] = code < ranks.count ? ranks[code] : .nan
        }
    }
}

/// The columns beside the features, gathered part by part in the least width.
private struct GatheredColumns {
    struct Column {
        var name: String
        /// Arms; other levels; numbers.
        var bytes: [UInt8]?
        var numbers: [UInt32]?
        var floats: FloatColumn?
    }

    private var columns: [Column]
    private(set) var count = 0

    init(_ fields: ArraySlice<RowField>) {
        columns = fields.map { field in
            switch field.reading {
            case .level(only: nil): Column(name: field.name, numbers: [])
            case .level: Column(name: field.name, bytes: [])
            case .number, .equals: Column(name: field.name, floats: FloatColumn())
            }
        }
    }

    mutating func append(_ part: [FloatColumn]) throws(ImpactError) {
        for index in columns.indices {
            let values = part[index].buffer
            // What decides about rows alone is not needed again.
            if columns[index].name == "\u{1}censored" { continue }
            if let floats = columns[index].floats {
                for value in values { try floats.append(value) }
            } else if columns[index].bytes != nil {
                columns[index].bytes?.append(contentsOf: values.lazy.map { UInt8($0) })
            } else {
                columns[index].numbers?.append(contentsOf: values.lazy.map { UInt32($0) })
            }
        }
        count += part.first?.count ?? 0
    }

    subscript(_ name: String) -> Column? { columns.first { $0.name == "\u{1}\(name)" } }
}
