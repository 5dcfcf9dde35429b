import Base
import Tabular

/// Times a model on a user's own rows and verifies every kernel on them: `model inspect --check ROWS`.
package struct RowCheck: Sendable, Equatable {
    /// How long one row takes with one kernel on one thread, in microseconds.
    package struct Timing: Sendable, Equatable {
        package var kernel: Kernel
        /// Rows scored one at a time, with standard errors.
        package var singleRow: Double
        /// Rows scored 1,024 at a time: effects alone, and with standard errors.
        package var batch: Double
        package var batchWithErrors: Double
    }

    /// A result that is not that of walking the trees split by split, bit for bit.
    package struct Disagreement: Sendable, Equatable {
        package var kernel: Kernel
        package var rowsInCall: Int
        /// The line of the row in the file.
        package var line: Int
        /// Which of the row's effects (`Model.effectIndex`).
        package var effect: Int
        package var expected: Estimate
        package var found: Estimate
    }

    package var rows: Int
    /// Rows that the model refuses for a missing value.
    package var refusedRows: Int
    package var timings: [Timing]
    /// The plain walk, for comparison; microseconds a row.
    package var plainRow: Double
    package var disagreement: Disagreement?

    /// Reads at most `limit` rows of a CSV whose columns hold the model's features, scores them one at a time and in
    /// batches with every kernel of this machine, and compares each result with a plain walk of the trees.
    ///
    /// - Throws: `csv_…` with line and column; `csv_header` when the file has no rows.
    package static func run(model: Model, csv path: String, limit: Int = 4096) throws(ImpactError) -> RowCheck {
        let (rows, lines) = try read(path, model, limit)
        let count = lines.count
        guard count > 0 else {
            throw ImpactError(.badInput, code: "csv_header", "\(path) has no rows to check the model with")
        }
        let walker = PlainWalker(model)
        var expected: [Estimate] = []
        let clock = ContinuousClock()
        var check = RowCheck(rows: count, refusedRows: 0, timings: [], plainRow: 0)
        rows.withUnsafeBufferPointer { rows in
            guard let base = rows.baseAddress else { return }
            let time = clock.measure {
                for row in 0..<count { expected += walker.score(base + row * model.rowStride) }
            }
            check.plainRow = microseconds(time) / Double(count)
            if model.missingValues == .refuse {
                check.refusedRows = (0..<count).count { row in
                    (0..<model.featureCount).contains { !base[row * model.rowStride + $0].isFinite }
                }
            }
            for kernel in Kernel.available {
                var run = KernelRun(model: model, kernel: kernel, rows: base, count: count)
                check.timings.append(run.timing(clock))
                for size in [1, 7, 64, 256, 1024] where check.disagreement == nil {
                    guard let fault = run.firstDifference(from: expected, rowsInCall: size) else { continue }
                    check.disagreement = Disagreement(
                        kernel: kernel, rowsInCall: size, line: lines[fault.row], effect: fault.effect,
                        expected: expected[fault.row * model.effectCount + fault.effect], found: fault.found)
                }
            }
        }
        return check
    }

    /// Rows of `model.rowStride` floats, and the line of each in the file. A missing value is NaN.
    private static func read(
        _ path: String, _ model: Model, _ limit: Int
    ) throws(ImpactError) -> (rows: [Float], lines: [Int]) {
        let table = try CSVTable(path: path)
        let reader = try ModelRowReader(table, model)
        var (rows, lines): ([Float], [Int]) = ([], [])
        var row = [Float](repeating: 0, count: model.rowStride)
        while lines.count < limit, try table.advance() {
            try reader.read(table, into: &row)
            rows += row
            lines.append(table.line)
        }
        return (rows, lines)
    }

    fileprivate static func microseconds(_ time: Duration) -> Double {
        Double(time.components.seconds) * 1e6 + Double(time.components.attoseconds) * 1e-12
    }
}

/// One kernel on the rows of a check.
private struct KernelRun {
    let model: Model
    let rows: UnsafePointer<Float>
    let count: Int
    private let scorer: Scorer
    private var estimates: [Estimate]

    init(model: Model, kernel: Kernel, rows: UnsafePointer<Float>, count: Int) {
        self.model = model
        self.rows = rows
        self.count = count
        scorer = Scorer(model: model, maxRows: 1024, kernel: kernel)
        estimates = [Estimate](
            repeating: Estimate(effect: 0, standardError: 0), count: count * model.effectCount)
    }

    private mutating func score(rowsInCall: Int, upTo end: Int, standardErrors: Bool) {
        estimates.withUnsafeMutableBufferPointer { estimates in
            guard let target = estimates.baseAddress else { return }
            for start in stride(from: 0, to: end, by: rowsInCall) {
                scorer.score(
                    rows: rows + start * model.rowStride, stride: model.rowStride, count: min(rowsInCall, end - start),
                    into: target + start * model.effectCount, standardErrors: standardErrors)
            }
        }
    }

    mutating func timing(_ clock: ContinuousClock) -> RowCheck.Timing {
        func best(_ end: Int, _ rowsInCall: Int, _ standardErrors: Bool) -> Double {
            var best = Double.infinity
            for _ in 0..<3 {
                let time = clock.measure { score(rowsInCall: rowsInCall, upTo: end, standardErrors: standardErrors) }
                best = min(best, RowCheck.microseconds(time) / Double(end))
            }
            return best
        }
        return RowCheck.Timing(
            kernel: scorer.kernel, singleRow: best(min(count, 512), 1, true), batch: best(count, 1024, false),
            batchWithErrors: best(count, 1024, true))
    }

    mutating func firstDifference(
        from expected: [Estimate], rowsInCall: Int
    ) -> (row: Int, effect: Int, found: Estimate)? {
        score(rowsInCall: rowsInCall, upTo: count, standardErrors: true)
        for index in estimates.indices where !Self.same(estimates[index], expected[index]) {
            return (index / model.effectCount, index % model.effectCount, estimates[index])
        }
        return nil
    }

    /// Equal bit for bit, whatever the bits of a NaN.
    private static func same(_ a: Estimate, _ b: Estimate) -> Bool {
        func same(_ a: Double, _ b: Double) -> Bool { a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN) }
        return same(a.effect, b.effect) && same(a.standardError, b.standardError)
    }
}
