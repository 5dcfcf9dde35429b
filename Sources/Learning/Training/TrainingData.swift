import Base
import Foundation
import Rows
import Trees

/// Rows that are ready to learn from.
package final class TrainingData: Sendable {
    package let plan: TrainingPlan
    package let count: Int
    package let features: [FloatColumn]
    /// For each row its arm, 0 the control; empty when the treatment is a number.
    package let arms: [UInt8]
    /// The treatment as a number (of an arm: its number).
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

    /// - Throws: what `RowTable.read` throws; `train_rows` when there is too little to learn from.
    package init(
        _ plan: TrainingPlan, path: String, keep: ((Int) -> Bool)? = nil,
        progress: (Int, Double?) throws(ImpactError) -> Void = { _, _ in }
    ) throws(ImpactError) {
        let table: RowTable
        do throws(ImpactError) {
            table = try RowTable.read(path: path, fields: plan.fields, keep: keep, progress: progress)
        } catch {
            guard error.code == "rows_empty", plan.censored != nil else { throw error }
            throw ImpactError(
                .badInput, code: error.code,
                error.message
                    + " (a row is censored while its outcome window is not over; a shorter --outcome-window of "
                    + "`impactiq rows`, or later events, gives rows that can be used)")
        }
        self.plan = plan
        count = table.count
        func column(_ name: String) -> FloatColumn? { table["\u{1}\(name)"] }
        features = Array(table.columns.suffix(plan.features.count))
        treatment = column("treatment") ?? FloatColumn()
        arms = plan.arms == nil ? [] : treatment.buffer.map { UInt8($0) }
        outcomes = plan.outcomes.compactMap { column("outcome:\($0)") }
        propensity = column("propensity")
        if let weight = column("weight") {
            guard let least = weight.buffer.min(), least >= 0 else {
                throw ImpactError(
                    .badInput, code: "train_weight", "\(path): the column '\(plan.weight ?? "")' has negative weights")
            }
            let mean = weight.buffer.reduce(0) { $0 + Double($1) } / Double(max(1, table.count))
            weights = weight.buffer.map { Float(Double($0) / max(mean, .leastNormalMagnitude)) }
        } else {
            weights = nil
        }
        clusters = column("cluster").map { $0.buffer.map { UInt32($0) } }
        clusterCount = table.levels(of: "\u{1}cluster").count
        rowsRead = table.rowsRead
        let columns = Dictionary(plan.fields.map { ($0.name, $0.column) }, uniquingKeysWith: { a, _ in a })
        dropped = table.dropped.map { (columns[$0.key] ?? $0.key, $0.value) }.sorted { $0.column < $1.column }
        try check(path)
    }

    private func check(_ path: String) throws(ImpactError) {
        func fault(_ message: String) -> ImpactError {
            ImpactError(.badInput, code: "train_rows", "\(path): \(message)")
        }
        guard count >= 200 else {
            throw fault("\(count) usable rows are too few; 200 are the least, thousands are better")
        }
        if let names = plan.arms {
            var sizes = [Int](repeating: 0, count: names.count)
            for arm in arms { sizes[Int(arm)] += 1 }
            for (name, size) in zip(names, sizes) where size < 20 {
                throw fault("arm '\(name)' has \(size) usable rows; 20 are the least")
            }
        }
        for (name, outcome) in zip(plan.outcomes, outcomes) {
            guard let first = outcome.buffer.first, outcome.buffer.contains(where: { $0 != first }) else {
                throw fault("the outcome '\(name)' is the same in every row")
            }
        }
        if let propensity, let worst = propensity.buffer.first(where: { !($0 > 0 && $0 < 1) }) {
            throw fault("the propensity must be above 0 and below 1, but is \(worst) in a row")
        }
        if let clusters, Set(clusters).count < 20 { throw fault("fewer than 20 clusters are too few to learn from") }
    }

    package func weight(_ row: Int) -> Float { weights?[row] ?? 1 }

    /// The features in bins.
    package func binned(threads: Int) -> BinnedMatrix {
        BinnedMatrix(columns: features.map(\.buffer), threads: threads)
    }
}
