import Base
import Foundation
import Trees

/// Boosted trees on raw float32 columns, for scripts/bench-trees.py, which sets XGBoost and LightGBM beside them.
///
/// `impactiq-bench trees FILE ROWS TRAIN FEATURES [key=value…]`: FILE holds the features column by column, then the target,
/// float32 little-endian. Fits on the first TRAIN rows, writes the others' probabilities to FILE.out (float32) and the
/// seconds of both steps to standard output.
enum TreesBenchmark {
    static func run(_ arguments: [String]) throws {
        guard arguments.count >= 4, let rows = Int(arguments[1]), let train = Int(arguments[2]),
            let features = Int(arguments[3]), train <= rows
        else {
            throw ImpactError(.usage, code: "usage", "impactiq-bench trees FILE ROWS TRAIN FEATURES [key=value…]")
        }
        var options: [String: String] = [:]
        for argument in arguments.dropFirst(4) {
            let parts = argument.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { options[String(parts[0])] = String(parts[1]) }
        }
        func number(_ key: String, _ usual: Double) -> Double { options[key].flatMap { Double($0) } ?? usual }
        let data = try Data(contentsOf: URL(filePath: arguments[0]))
        guard data.count == (features + 1) * rows * 4 else {
            throw ImpactError(.badInput, code: "size", "\(arguments[0]) does not hold \(features + 1) × \(rows) floats")
        }
        var settings = BoostingSettings()
        settings.loss = options["loss"] == "squared" ? .squared : .logistic
        settings.trees = Int(number("trees", 100))
        settings.learningRate = number("rate", 0.1)
        settings.limits.leaves = Int(number("leaves", 31))
        settings.limits.rows = Int(number("rows", 20))
        settings.limits.l2 = number("l2", 1)
        settings.threads = Int(number("threads", 2))
        let (times, out) = data.withUnsafeBytes { bytes in
            fit(bytes.bindMemory(to: Float.self), rows, train, features, settings)
        }
        try out.withUnsafeBytes { try Data($0).write(to: URL(filePath: arguments[0] + ".out")) }
        print("{\"bin\":\(times.bin),\"fit\":\(times.fit),\"cpu\":\(times.cpu),\"predict\":\(times.predict)}")
    }

    private static func fit(
        _ all: UnsafeBufferPointer<Float>, _ rows: Int, _ train: Int, _ features: Int, _ settings: BoostingSettings
    ) -> (times: (bin: Double, fit: Double, cpu: Double, predict: Double), out: [Float]) {
        func column(_ index: Int, _ range: Range<Int>) -> UnsafeBufferPointer<Float> {
            UnsafeBufferPointer(rebasing: all[index * rows + range.lowerBound..<index * rows + range.upperBound])
        }
        let clock = ContinuousClock()
        let cpu = processorSeconds()
        let start = clock.now
        let matrix = BinnedMatrix(
            columns: (0..<features).map { column($0, 0..<train) }, threads: settings.threads)
        let binned = clock.now
        let ensemble = GradientBoosting.fit(matrix, target: column(features, 0..<train), settings: settings)
        let fitted = clock.now
        let used = processorSeconds() - cpu
        let test = train..<rows
        var out = [Float](repeating: 0, count: test.count)
        let columns = (0..<features).map { column($0, test) }
        var row = [Float](repeating: 0, count: features)
        for index in 0..<test.count {
            for feature in 0..<features { row[feature] = columns[feature][index] }
            out[index] = row.withUnsafeBufferPointer { Float(ensemble.margin($0.baseAddress!)) }
        }
        let predicted = clock.now
        func seconds(_ duration: Duration) -> Double {
            Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
        }
        return (
            (seconds(binned - start), seconds(fitted - binned), used, seconds(predicted - fitted)), out
        )
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
