import Base
import Foundation
import Scoring

/// Times the forest engine: microseconds a row by batch size, kernel, with and without the interval, and threads.
///
/// `scripts/bench-forest-peers.py` runs this in turn with other engines on the same forest.
package struct ForestBenchmark {
    package struct Result: Codable, Sendable {
        package var kernel: String
        package var batch: Int
        package var threads: Int
        package var interval: Bool
        package var microseconds: Double
    }

    let rows: ForestRows
    /// Seconds a measurement takes, and rounds of measurements.
    var seconds = 0.2
    var rounds = 3
    /// Counts the process's processor time instead of the wall's: for a machine that others use too, one thread only.
    var countsProcessorTime = false

    init(rows: ForestRows) { self.rows = rows }

    /// All measurements, interleaved: each round takes every one once, and the median of the rounds counts.
    package func run(kernels: [Kernel], batches: [Int], threads: [Int]) -> [Result] {
        var cases: [Result] = []
        for kernel in kernels {
            for batch in batches where batch <= rows.count {
                for interval in [false, true] {
                    cases.append(
                        Result(kernel: kernel.rawValue, batch: batch, threads: 1, interval: interval, microseconds: 0))
                }
            }
        }
        for threads in threads {
            for interval in [false, true] {
                cases.append(
                    Result(
                        kernel: kernels[0].rawValue, batch: rows.count, threads: threads, interval: interval,
                        microseconds: 0))
            }
        }
        var times = cases.map { _ in [Double]() }
        for _ in 0..<rounds { for (index, item) in cases.enumerated() { times[index].append(time(item)) } }
        for index in cases.indices { cases[index].microseconds = times[index].sorted()[rounds / 2] }
        return cases
    }

    private func time(_ item: Result) -> Double {
        let kernel = Kernel(rawValue: item.kernel) ?? .best
        let (model, count, rows) = (rows.model, rows.count, rows.values)
        var estimates = [Estimate](
            repeating: Estimate(effect: 0, standardError: 0), count: item.batch * model.effectCount)
        let stride = model.rowStride
        let clock = countsProcessorTime && item.threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC
        func now() -> Double { Double(nanoseconds(clock)) * 1e-9 }
        return estimates.withUnsafeMutableBufferPointer { estimates in
            let target = estimates.baseAddress!
            let single = Scorer(model: model, maxRows: min(item.batch, 1 << 16), kernel: kernel)
            let parallel = ParallelScorer(model: model, threads: item.threads, kernel: kernel)
            var done = 0
            var start = 0
            // One pass to warm up, then as many as fit the time.
            var begin = now()
            var warm = false
            while true {
                if start + item.batch > count { start = 0 }
                if item.batch == count {
                    parallel.score(
                        rows: rows + start * stride, stride: stride, count: item.batch, into: target,
                        standardErrors: item.interval)
                } else {
                    single.score(
                        rows: rows + start * stride, stride: stride, count: item.batch, into: target,
                        standardErrors: item.interval)
                }
                start += item.batch
                done += item.batch
                let elapsed = now() - begin
                if !warm, elapsed > seconds / 10 {
                    warm = true
                    done = 0
                    begin = now()
                } else if warm, elapsed > seconds {
                    return elapsed / Double(done) * 1e6
                }
            }
        }
    }

    /// A table for people.
    package static func table(_ results: [Result]) -> String {
        var lines = ["kernel   threads   batch   effect µs/row   + interval µs/row"]
        for result in results where !result.interval {
            let other = results.first {
                $0.interval && $0.kernel == result.kernel && $0.batch == result.batch && $0.threads == result.threads
            }
            func number(_ value: Double) -> String { String(format: "%.2f", value) }
            lines.append(
                [
                    result.kernel.padding(toLength: 9, withPad: " ", startingAt: 0),
                    "\(result.threads)".padding(toLength: 10, withPad: " ", startingAt: 0),
                    "\(result.batch)".padding(toLength: 8, withPad: " ", startingAt: 0),
                    number(result.microseconds).padding(toLength: 16, withPad: " ", startingAt: 0),
                    other.map { number($0.microseconds) } ?? "",
                ].joined())
        }
        return lines.joined(separator: "\n")
    }
}

/// Nanoseconds that a clock shows.
private func nanoseconds(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
